import { type Allocation, isDesiredTerminal } from "./allocation.js";
import { isBatch, isSystem } from "./decision.js";
import type { Job, TaskGroup } from "./job.js";
import { updatesInPlace } from "./job-diff.js";
import { rescheduleAt } from "./reschedule.js";
import type { UnixNano } from "./units.js";

/** What becomes of an allocation that holds one of its group's names. */
export type Fate =
  /** Stays as it is: runs, has completed, has failed for good, or waits for its follow-up evaluation. */
  | { readonly kind: "keep" }
  | { readonly kind: "in-place" }
  | { readonly kind: "replace" }
  | { readonly kind: "migrate" }
  /** Stops, and its name stays taken: a batch allocation that was stopped by hand. */
  | { readonly kind: "retire" }
  | { readonly kind: "reschedule"; readonly at: UnixNano };

export interface FateContext {
  /** Canaries of the current version are on trial, and the older version is kept up meanwhile. */
  readonly onTrial: boolean;
  readonly isAsked: boolean;
}

/** Null: it holds no name, so that its place is free. Source: reference behaviour §8. */
export function fateOf(alloc: Allocation, job: Job, group: TaskGroup, { onTrial, isAsked }: FateContext): Fate | null {
  const batch = isBatch(job);
  const current = alloc.Job.Version === job.Version;
  const stoppedByHand = alloc.DesiredTransition.Migrate === true;
  const isFinal = alloc.DesiredTransition.MigrateDisablePlacement === true;
  if (isDesiredTerminal(alloc)) {
    return batch && current && stoppedByHand && !alloc.DesiredTransition.Reschedule && alloc.NextAllocation === ""
      ? { kind: "keep" }
      : null;
  }
  switch (alloc.ClientStatus) {
    case "complete":
      return batch && current ? { kind: "keep" } : null;
    case "lost":
      return null;
    case "failed": {
      if (alloc.DesiredTransition.ForceReschedule) return { kind: "reschedule", at: 0n };
      if (!current && !onTrial) return batch ? null : { kind: "replace" };
      if (isSystem(job)) return job.Type === "system" && isAsked ? { kind: "reschedule", at: 0n } : { kind: "keep" };
      const at = rescheduleAt(alloc, groupOf(alloc, group).ReschedulePolicy);
      return at === null ? { kind: "keep" } : { kind: "reschedule", at };
    }
    default:
      if (stoppedByHand)
        return isFinal || (batch && current && !alloc.DesiredTransition.Reschedule) ? { kind: "retire" } : { kind: "migrate" };
      if (current) return { kind: "keep" };
      return updatesInPlace(alloc.Job, job, group.Name) ? { kind: "in-place" } : { kind: "replace" };
  }
}

/** The group as the allocation's own version of the job has it. */
export const groupOf = (alloc: Allocation, group: TaskGroup): TaskGroup =>
  alloc.Job.TaskGroups.find(({ Name }) => Name === alloc.TaskGroup) ?? group;
