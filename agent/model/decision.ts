import type { Allocation, RescheduleTracker } from "./allocation.js";
import type { Deployment } from "./deployment.js";
import type { Job, TaskGroup } from "./job.js";
import type { UnixNano } from "./units.js";

/** Nomad's texts for DesiredDescription. Source: reference behaviour §8. */
export const DESCRIPTION = {
  notNeeded: "alloc not needed due to job update",
  updating: "alloc is being updated due to job update",
  migrating: "alloc is being migrated",
  rescheduled: "alloc was rescheduled because it failed",
} as const;

/** One job as it is now. */
export interface JobState {
  /** Undefined after a purge. */
  readonly job: Job | undefined;
  /** Everything known under the job's id; allocations that a control plane handed in are left alone. */
  readonly allocs: readonly Allocation[];
  /** The deployment of the job's current version, if there is one. */
  readonly deployment: Deployment | undefined;
  readonly now: UnixNano;
  /** Somebody asked for this look: what has failed of a system job gets another chance. */
  readonly isAsked?: boolean;
  /** Until when no further group of a system job is updated; null or past when nothing waits. */
  readonly rollingUntil?: UnixNano | null;
}

export interface Placement {
  /** The version to place: an older one takes the place of its like as long as canaries are on trial. */
  readonly job: Job;
  readonly group: TaskGroup;
  readonly name: string;
  /** The allocation whose place it takes, and for whose end it waits. */
  readonly previous: Allocation | null;
  /** When set, `previous` is stopped with this description, but only if the placement fits. */
  readonly stopPrevious: string | null;
  readonly tracker: RescheduleTracker | null;
  readonly canary: boolean;
}

/** What is to be done for one group, counted as a plan's annotations count it. */
export interface GroupUpdates {
  readonly Place: number;
  readonly Stop: number;
  readonly Migrate: number;
  readonly InPlaceUpdate: number;
  readonly DestructiveUpdate: number;
  readonly Canary: number;
  readonly RescheduleNow: number;
  readonly RescheduleLater: number;
  readonly Ignore: number;
}

export interface Stop {
  readonly alloc: Allocation;
  readonly description: string;
}

/** Failures that are to be replaced, but not yet. */
export interface Later {
  readonly alloc: Allocation;
  readonly at: UnixNano;
}

/** What is to be done for one group. */
export interface GroupDecision {
  readonly group: string;
  readonly place: readonly Placement[];
  readonly stop: readonly Stop[];
  /** They go over to the current version as they run. */
  readonly inPlace: readonly Allocation[];
  readonly later: readonly Later[];
  /** What a rolling update, or one on trial, has not come to yet. */
  readonly heldBack: number;
  /** How many canaries a new deployment of the group has to show. */
  readonly canaries: number;
  readonly updates: GroupUpdates;
}

/** What is to be done for a job. */
export interface Decision extends Omit<GroupDecision, "group" | "updates" | "canaries"> {
  readonly canaries: Readonly<Record<string, number>>;
  readonly updates: Readonly<Record<string, GroupUpdates>>;
  /** When the next groups of a system job are to be updated, as its stagger says; null when none waits. */
  readonly rollAt: UnixNano | null;
}

export const isSystem = (job: Pick<Job, "Type">): boolean => job.Type === "system" || job.Type === "sysbatch";
export const isBatch = (job: Pick<Job, "Type">): boolean => job.Type === "batch" || job.Type === "sysbatch";
