import type { Job } from "./job.js";

/** When a job is launched. Source: Nomad's `periodic` block. */
export interface PeriodicConfig {
  readonly Enabled: boolean;
  /** One expression; empty when there are several. */
  readonly Spec: string;
  readonly Specs: readonly string[] | null;
  readonly SpecType: "cron";
  readonly ProhibitOverlap: boolean;
  readonly TimeZone: string;
}

/** What a job takes when it is dispatched. Source: Nomad's `parameterized` block. */
export interface ParameterizedConfig {
  readonly Payload: "optional" | "required" | "forbidden";
  readonly MetaRequired: readonly string[] | null;
  readonly MetaOptional: readonly string[] | null;
}

/** The most that a dispatch may carry, in bytes. Source: Nomad's limit of 16 KiB. */
export const MAX_PAYLOAD_BYTES = 16 * 1024;

/** The members that say so. A job of an earlier version may lack them. */
interface Launched {
  readonly Periodic?: unknown;
  readonly ParameterizedJob?: unknown;
  readonly Dispatched?: unknown;
}

export const periodicOf = (job: Launched): PeriodicConfig | null => (job.Periodic ?? null) as PeriodicConfig | null;

/** Null for a job that was dispatched: it keeps the block and is one to run. */
export const parameterizedOf = (job: Launched): ParameterizedConfig | null =>
  job.Dispatched === true ? null : ((job.ParameterizedJob ?? null) as ParameterizedConfig | null);

/** What a dispatched job was dispatched by; null for all others. */
export const dispatchedWith = (job: Launched): ParameterizedConfig | null =>
  job.Dispatched === true ? ((job.ParameterizedJob ?? null) as ParameterizedConfig | null) : null;

/** Whether the job itself is never placed, only what is launched from it. */
export const isParent = (job: Launched): boolean => periodicOf(job) !== null || parameterizedOf(job) !== null;

/** Whether the times of the job are to be kept. Source: Nomad's IsPeriodicActive. */
export const isPeriodicActive = (job: Launched & { readonly Stop: boolean }): boolean =>
  periodicOf(job)?.Enabled === true && !job.Stop && parameterizedOf(job) === null;

/** The job as the scheduler sees it: a parent has nothing to place, and what was placed before it became one goes. */
export const placeable = (job: Job): Job => (isParent(job) ? { ...job, TaskGroups: [] } : job);

/** `<id>/periodic-<unix>`. @param launch in Unix seconds. */
export const periodicChildId = (parent: string, launch: number): string => `${parent}/periodic-${launch}`;

/** `<id>/dispatch-[<prefix>-]<unix>-<uuid8>`. @param seconds Unix time. */
export const dispatchChildId = (parent: string, prefix: string, seconds: number, uuid: string): string =>
  `${parent}/dispatch-${prefix === "" ? "" : `${prefix}-`}${seconds}-${uuid.slice(0, 8)}`;
