import type { Duration, UnixNano } from "./units.js";

export type DeploymentStatusName = "running" | "successful" | "failed" | "cancelled" | "paused";

export interface Deployment {
  readonly ID: string;
  readonly Namespace: string;
  readonly JobID: string;
  readonly JobVersion: number;
  readonly JobModifyIndex: number;
  readonly JobSpecModifyIndex: number;
  readonly JobCreateIndex: number;
  readonly IsMultiregion: false;
  readonly TaskGroups: Readonly<Record<string, DeploymentState>>;
  readonly Status: DeploymentStatusName;
  readonly StatusDescription: string;
  readonly EvalPriority: number;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly CreateTime: UnixNano;
  readonly ModifyTime: UnixNano;
}

export interface DeploymentState {
  readonly AutoRevert: boolean;
  readonly AutoPromote: boolean;
  readonly ProgressDeadline: Duration;
  readonly RequireProgressBy: UnixNano | null;
  readonly Promoted: boolean;
  readonly PlacedCanaries: readonly string[] | null;
  readonly DesiredCanaries: number;
  readonly DesiredTotal: number;
  readonly PlacedAllocs: number;
  readonly HealthyAllocs: number;
  readonly UnhealthyAllocs: number;
}

/** It may still get on. */
export const isActive = ({ Status }: Pick<Deployment, "Status">): boolean => Status === "running" || Status === "paused";
