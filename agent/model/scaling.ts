import type { Allocation } from "./allocation.js";
import { isClientTerminal, isDesiredTerminal } from "./allocation.js";
import type { Deployment } from "./deployment.js";
import { InvalidField } from "./invalid-field.js";
import type { Job, TaskGroup } from "./job.js";
import { encodeJson } from "./json.js";
import type { UnixNano } from "./units.js";

/** What somebody did to a group's count, or said about it. */
export interface ScalingEvent {
  readonly Time: UnixNano;
  /** Null: the count was left alone. */
  readonly Count: number | null;
  readonly PreviousCount: number;
  readonly Message: string;
  readonly Error: boolean;
  readonly Meta: Readonly<Record<string, unknown>> | null;
  /** Empty when nothing had to be evaluated. */
  readonly EvalID: string;
  readonly CreateIndex: number;
}

/** By group, newest first. */
export type ScalingEvents = Readonly<Record<string, readonly ScalingEvent[]>>;

/** Source: Nomad's JobTrackedScalingEvents. */
const MAX_EVENTS = 20;

export const withEvent = (events: ScalingEvents | undefined, group: string, event: ScalingEvent): ScalingEvents => ({
  ...events,
  [group]: [event, ...(events?.[group] ?? [])].slice(0, MAX_EVENTS),
});

/**
 * The job with another count of one group.
 *
 * @throws InvalidField when the group's scaling policy does not allow it.
 */
export function scaled(job: Job, group: TaskGroup, count: number): Job {
  const { Scaling } = group;
  if (Scaling && count < Scaling.Min)
    throw new InvalidField(
      "Count",
      count,
      `${Scaling.Min} or more: group count was less than scaling policy minimum: ${count} < ${Scaling.Min}`,
    );
  if (Scaling && count > Scaling.Max)
    throw new InvalidField(
      "Count",
      count,
      `${Scaling.Max} or less: group count was greater than scaling policy maximum: ${count} > ${Scaling.Max}`,
    );
  return { ...job, TaskGroups: job.TaskGroups.map((other) => (other === group ? { ...other, Count: count } : other)) };
}

/** GET /v1/job/:id/scale. Source: reference sample. */
export function encodeScaleStatus(
  job: Job,
  allocs: readonly Allocation[],
  deployment: Deployment | undefined,
  events: ScalingEvents | undefined,
): string {
  const groups = job.TaskGroups.map((group) => {
    const wanted = allocs.filter((a) => a.TaskGroup === group.Name && a.Job.CreateIndex === job.CreateIndex && !isDesiredTerminal(a));
    const live = wanted.filter((a) => !isClientTerminal(a));
    const state = deployment?.TaskGroups[group.Name];
    const status = {
      Desired: group.Count,
      Events: events?.[group.Name]?.map(({ EvalID, ...event }) => ({ ...event, EvalID: EvalID || null })) ?? null,
      Healthy: state?.HealthyAllocs ?? live.filter((a) => a.DeploymentStatus?.Healthy === true).length,
      Placed: live.length,
      Running: live.filter((a) => a.ClientStatus === "running").length,
      Unhealthy: state?.UnhealthyAllocs ?? wanted.filter((a) => a.DeploymentStatus?.Healthy === false).length,
    };
    return [group.Name, status] as const;
  });
  return encodeJson({
    JobCreateIndex: job.CreateIndex,
    JobID: job.ID,
    JobModifyIndex: job.ModifyIndex,
    JobStopped: job.Stop,
    Namespace: job.Namespace,
    TaskGroups: Object.fromEntries(groups),
  });
}
