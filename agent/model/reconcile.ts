import { type Allocation, isClientTerminal, isDesiredTerminal, type RescheduleTracker } from "./allocation.js";
import type { Deployment } from "./deployment.js";
import type { Job, TaskGroup } from "./job.js";
import { updatesInPlace } from "./job-diff.js";
import { allocName, lowestFree, nameIndex } from "./names.js";
import { nextTracker, rescheduleAt } from "./reschedule.js";
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
}

export interface Placement {
  readonly group: TaskGroup;
  readonly name: string;
  /** The allocation whose place it takes, and for whose end it waits. */
  readonly previous: Allocation | null;
  /** When set, `previous` is stopped with this description, but only if the placement fits. */
  readonly stopPrevious: string | null;
  readonly tracker: RescheduleTracker | null;
}

/** What is to be done for one group, counted as a plan's annotations count it. */
export interface GroupUpdates {
  readonly Place: number;
  readonly Stop: number;
  readonly Migrate: number;
  readonly InPlaceUpdate: number;
  readonly DestructiveUpdate: number;
  readonly RescheduleNow: number;
  readonly RescheduleLater: number;
  readonly Ignore: number;
}

export interface Decision {
  readonly place: readonly Placement[];
  readonly stop: readonly { readonly alloc: Allocation; readonly description: string }[];
  /** They go over to the current version as they run. */
  readonly inPlace: readonly Allocation[];
  /** Failures that are to be replaced, but not yet. */
  readonly later: readonly { readonly alloc: Allocation; readonly at: UnixNano }[];
  /** Outdated allocations that a rolling update has not come to yet. */
  readonly heldBack: number;
  readonly updates: Readonly<Record<string, GroupUpdates>>;
}

/**
 * What is to be done so that the host runs what the job asks for. Applying the decision and asking again leads to an
 * empty decision, until time passes or a task changes.
 */
export function reconcile(state: JobState): Decision {
  const { job } = state;
  const own = state.allocs.filter((a) => !a.Ingested);
  const current = (a: Allocation): boolean => job !== undefined && a.Job.CreateIndex === job.CreateIndex;
  const groups = job && !job.Stop ? job.TaskGroups : [];
  const wanted = new Set(groups.map((group) => group.Name));
  const unwanted = own.filter((a) => !(current(a) && wanted.has(a.TaskGroup)) && !isClientTerminal(a) && !isDesiredTerminal(a));
  const parts = job
    ? groups.map((group) =>
        reconcileGroup(
          job,
          group,
          own.filter((a) => current(a) && a.TaskGroup === group.Name),
          state,
        ),
      )
    : [];
  return {
    place: parts.flatMap((part) => part.place),
    stop: [...unwanted.map((alloc) => ({ alloc, description: DESCRIPTION.notNeeded })), ...parts.flatMap((part) => part.stop)],
    inPlace: parts.flatMap((part) => part.inPlace),
    later: parts.flatMap((part) => part.later),
    heldBack: parts.reduce((sum, part) => sum + part.heldBack, 0),
    updates: { ...stopCounts(unwanted), ...Object.fromEntries(parts.map((part) => [part.group, part.updates])) },
  };
}

/** What becomes of an allocation that holds one of its group's names. */
type Fate =
  /** Stays as it is: runs, has completed, has failed for good, or waits for its follow-up evaluation. */
  | { readonly kind: "keep" }
  | { readonly kind: "in-place" }
  | { readonly kind: "replace" }
  | { readonly kind: "migrate" }
  /** Stops, and its name stays taken: a batch allocation that was stopped by hand. */
  | { readonly kind: "retire" }
  | { readonly kind: "reschedule"; readonly at: UnixNano };

type Holder = { readonly alloc: Allocation; readonly fate: Fate };

function reconcileGroup(job: Job, group: TaskGroup, allocs: readonly Allocation[], { now, deployment }: JobState) {
  const count = isSystem(job) ? Math.min(1, group.Count) : group.Count;
  const holders = allocs
    .flatMap((alloc): Holder[] => {
      const fate = fateOf(alloc, job, group);
      return fate ? [{ alloc, fate }] : [];
    })
    // Of two with one name the one that is wanted holds it.
    .sort(
      (a, b) =>
        nameIndex(a.alloc.Name) - nameIndex(b.alloc.Name) || Number(isDesiredTerminal(a.alloc)) - Number(isDesiredTerminal(b.alloc)),
    );

  const kept = holders.slice(0, count);
  const surplus = holders.slice(count).filter(({ alloc }) => !isClientTerminal(alloc) && !isDesiredTerminal(alloc));
  const of = <K extends Fate["kind"]>(kind: K) =>
    kept.filter((h): h is Holder & { fate: Extract<Fate, { kind: K }> } => h.fate.kind === kind);

  const fresh = lowestFree(new Set(kept.map(({ alloc }) => nameIndex(alloc.Name))), count - kept.length).map(
    (index): Placement => ({ group, name: allocName(job.ID, group.Name, index), previous: null, stopPrevious: null, tracker: null }),
  );
  const replacing = (alloc: Allocation, stopPrevious: string | null, tracker: RescheduleTracker | null = null): Placement => ({
    group,
    name: alloc.Name,
    previous: alloc,
    stopPrevious,
    tracker,
  });

  const due = of("reschedule").filter(({ fate }) => fate.at <= now);
  const later = of("reschedule").filter(({ alloc, fate }) => fate.at > now && alloc.FollowupEvalID === "");
  const migrating = of("migrate");
  const retiring = of("retire");
  const outdated = of("replace").sort((a, b) => Number(isClientTerminal(b.alloc)) - Number(isClientTerminal(a.alloc)));
  const dead = outdated.filter(({ alloc }) => isClientTerminal(alloc)).length;
  const updating = outdated.slice(0, dead + roomToUpdate(job, group, kept, deployment));
  const inPlace = of("in-place").map(({ alloc }) => alloc);

  const rescheduledText = job.Type === "batch" ? "" : DESCRIPTION.rescheduled;
  const policy = group.ReschedulePolicy;
  const stop = [
    ...surplus.map(({ alloc }) => ({ alloc, description: DESCRIPTION.notNeeded })),
    ...[...migrating, ...retiring].map(({ alloc }) => ({ alloc, description: DESCRIPTION.migrating })),
  ];
  const place = [
    ...fresh,
    ...migrating.map(({ alloc }) => replacing(alloc, null)),
    ...due.map(({ alloc }) => replacing(alloc, rescheduledText, policy && nextTracker(alloc, policy, now))),
    ...updating.map(({ alloc }) => replacing(alloc, DESCRIPTION.updating)),
  ];
  const updates: GroupUpdates = {
    Place: fresh.length,
    Stop: surplus.length + retiring.length,
    Migrate: migrating.length,
    InPlaceUpdate: inPlace.length,
    DestructiveUpdate: updating.length,
    RescheduleNow: due.length,
    RescheduleLater: later.length,
    Ignore: of("keep").length + (outdated.length - updating.length),
  };
  return {
    group: group.Name,
    place,
    stop,
    inPlace,
    later: later.map(({ alloc, fate }) => ({ alloc, at: fate.at })),
    heldBack: outdated.length - updating.length,
    updates,
  };
}

/** Null: it holds no name, so that its place is free. Source: reference behaviour §8. */
function fateOf(alloc: Allocation, job: Job, group: TaskGroup): Fate | null {
  const batch = job.Type === "batch" || job.Type === "sysbatch";
  const current = alloc.Job.Version === job.Version;
  const stoppedByHand = alloc.DesiredTransition.Migrate === true;
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
      if (!current) return batch ? null : { kind: "replace" };
      if (alloc.DesiredTransition.ForceReschedule) return { kind: "reschedule", at: 0n };
      const at = isSystem(job) ? null : rescheduleAt(alloc, group.ReschedulePolicy);
      return at === null ? { kind: "keep" } : { kind: "reschedule", at };
    }
    default:
      if (stoppedByHand) return batch && current && !alloc.DesiredTransition.Reschedule ? { kind: "retire" } : { kind: "migrate" };
      if (current) return { kind: "keep" };
      return updatesInPlace(alloc.Job, job, group.Name) ? { kind: "in-place" } : { kind: "replace" };
  }
}

/**
 * How many running allocations may be replaced now: `MaxParallel` less those of this version that are not healthy yet,
 * and none when one of them is unhealthy. Source: Nomad's reconciler, computeLimit.
 */
function roomToUpdate(job: Job, group: TaskGroup, holders: readonly Holder[], deployment: Deployment | undefined): number {
  const parallel = job.Type === "service" ? (group.Update?.MaxParallel ?? 0) : 0;
  if (parallel <= 0) return Number.POSITIVE_INFINITY;
  if (!deployment) return parallel;
  if (deployment.Status === "failed" || deployment.Status === "paused") return 0;
  const updated = holders.filter(({ alloc }) => alloc.DeploymentID === deployment.ID);
  if (updated.some(({ alloc }) => alloc.DeploymentStatus?.Healthy === false)) return 0;
  return Math.max(0, parallel - updated.filter(({ alloc }) => alloc.DeploymentStatus?.Healthy !== true).length);
}

function stopCounts(allocs: readonly Allocation[]): Record<string, GroupUpdates> {
  const none = { Place: 0, Migrate: 0, InPlaceUpdate: 0, DestructiveUpdate: 0, RescheduleNow: 0, RescheduleLater: 0, Ignore: 0 };
  const groups = new Map<string, GroupUpdates>();
  for (const { TaskGroup } of allocs) groups.set(TaskGroup, { ...none, Stop: (groups.get(TaskGroup)?.Stop ?? 0) + 1 });
  return Object.fromEntries(groups);
}

export const isSystem = (job: Job): boolean => job.Type === "system" || job.Type === "sysbatch";
