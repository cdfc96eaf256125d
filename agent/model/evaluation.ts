import type { AllocMetric } from "./allocation.js";
import type { JobType } from "./job.js";
import type { UnixNano } from "./units.js";

export type EvaluationStatus = "pending" | "blocked" | "complete" | "failed" | "canceled";

export type EvaluationTrigger =
  | "job-register"
  | "job-deregister"
  | "alloc-stop"
  | "alloc-failure"
  | "deployment-watcher"
  | "max-plan-attempts"
  | "queued-allocs"
  | "node-update"
  | "periodic-job"
  | "node-drain"
  | "preemption"
  | "rolling-update"
  | "job-scaling";

export interface Evaluation {
  readonly ID: string;
  readonly Namespace: string;
  readonly Priority: number;
  readonly Type: JobType;
  readonly TriggeredBy: EvaluationTrigger;
  readonly JobID: string;
  readonly JobModifyIndex: number;
  readonly NodeID: string;
  readonly DeploymentID: string;
  readonly Status: EvaluationStatus;
  readonly StatusDescription: string;
  /** Unix ns; null when the evaluation may run at once. */
  readonly WaitUntil: UnixNano | null;
  readonly NextEval: string;
  readonly PreviousEval: string;
  readonly BlockedEval: string;
  readonly FailedTGAllocs: Readonly<Record<string, AllocMetric>> | null;
  /** Of a blocked one: which node classes it may be placed on, by their computed name. */
  readonly ClassEligibility?: Readonly<Record<string, boolean>> | null;
  /** Of a blocked one: constraints look at what differs within a class. */
  readonly EscapedComputedClass?: boolean;
  /** Of a blocked one: hosts know no quotas. */
  readonly QuotaLimitReached?: string;
  readonly QueuedAllocations: Readonly<Record<string, number>> | null;
  readonly PlanAnnotations: unknown;
  readonly SnapshotIndex: number;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly CreateTime: UnixNano;
  readonly ModifyTime: UnixNano;
}
