import { type Fate, fateOf, groupOf } from "./alloc-fate.js";
import { type Allocation, isClientTerminal, isDesiredTerminal } from "./allocation.js";
import { DESCRIPTION, type GroupDecision, type GroupUpdates, isBatch, isSystem, type JobState, type Placement } from "./decision.js";
import type { DeploymentState } from "./deployment.js";
import type { Job, TaskGroup } from "./job.js";
import { allocName, lowestFree, nameIndex } from "./names.js";
import { nextTracker } from "./reschedule.js";

type Holder = { readonly alloc: Allocation; readonly fate: Fate };

/**
 * What is to be done for one group. Source: Nomad's reconciler.
 *
 * @param allocs the group's, of this job and of no earlier one of its name.
 * @param room how many groups of a system job may still be updated now.
 */
export function reconcileGroup(job: Job, group: TaskGroup, allocs: readonly Allocation[], state: JobState, room: number): GroupDecision {
  const { now, deployment } = state;
  const trial = trialOf(job, group, allocs, state);
  const count = isSystem(job) ? Math.min(1, group.Count) : group.Count;
  const context = { onTrial: trial.isOn, isAsked: state.isAsked ?? false };
  const holdersOf = (some: readonly Allocation[]): Holder[] =>
    some.flatMap((alloc): Holder[] => {
      const fate = fateOf(alloc, job, group, context);
      return fate ? [{ alloc, fate }] : [];
    });

  const { holders, doubles } = onePerName(holdersOf(trial.others));
  const kept = holders.slice(0, count);
  const surplus = [...doubles, ...holders.slice(count)].filter(({ alloc }) => isLive(alloc));
  const canaries = holdersOf(trial.canaries);
  const all = [...kept, ...canaries];
  const of = <K extends Fate["kind"]>(kind: K) =>
    all.filter((h): h is Holder & { fate: Extract<Fate, { kind: K }> } => h.fate.kind === kind);

  const isHeld = deployment?.Status === "failed" || deployment?.Status === "paused" || trial.isOn;
  const missing = lowestFree(new Set(kept.map(({ alloc }) => nameIndex(alloc.Name))), count - kept.length);
  const fresh = isHeld ? [] : missing;
  const orphans = isHeld ? orphansOf(trial.others, kept, count).slice(0, missing.length) : [];
  // What a failed deployment has brought is not tried again.
  const isGivenUp = (alloc: Allocation): boolean => deployment?.Status === "failed" && alloc.DeploymentID === deployment.ID;
  const failures = of("reschedule").filter(({ alloc, fate }) => !isGivenUp(alloc) || fate.at === 0n);
  const due = failures.filter(({ fate }) => fate.at <= now);
  const later = failures.filter(({ alloc, fate }) => fate.at > now && alloc.FollowupEvalID === "");
  const migrating = of("migrate");
  const retiring = of("retire");
  const outdated = of("replace").sort((a, b) => Number(isClientTerminal(b.alloc)) - Number(isClientTerminal(a.alloc)));
  const dead = outdated.filter(({ alloc }) => isClientTerminal(alloc)).length;
  const parallel = trial.isOn ? 0 : Math.min(room, roomToUpdate(job, group, kept, state) - fresh.length);
  const updating = outdated.slice(0, dead + Math.max(0, parallel));
  const inPlace = of("in-place").map(({ alloc }) => alloc);
  const tried = canaryIndexes(trial.missing, outdated, canaries, count);

  const place = (index: number, canary: boolean): Placement => ({
    job,
    group,
    name: allocName(job.ID, group.Name, index),
    previous: null,
    stopPrevious: null,
    tracker: null,
    canary,
  });
  const replacing = ({ alloc }: Pick<Holder, "alloc">, stopPrevious: string | null, as: { readonly ofItsVersion: boolean }): Placement => ({
    job: as.ofItsVersion ? alloc.Job : job,
    group: as.ofItsVersion ? groupOf(alloc, group) : group,
    name: alloc.Name,
    previous: alloc,
    stopPrevious,
    tracker: null,
    canary: trial.canaries.includes(alloc),
  });
  const keepsVersion = { ofItsVersion: trial.isOn };
  const rescheduled = (holder: Holder): Placement => {
    const policy = groupOf(holder.alloc, group).ReschedulePolicy;
    const placement = replacing(holder, isBatch(job) ? "" : DESCRIPTION.rescheduled, keepsVersion);
    return { ...placement, tracker: policy && nextTracker(holder.alloc, policy, now) };
  };
  const updates: GroupUpdates = {
    Place: fresh.length + orphans.length,
    Stop: surplus.length + retiring.length + trial.stale.length,
    Migrate: migrating.length,
    InPlaceUpdate: inPlace.length,
    DestructiveUpdate: updating.length,
    Canary: tried.length,
    RescheduleNow: due.length,
    RescheduleLater: later.length,
    Ignore: of("keep").length + (outdated.length - updating.length),
  };
  return {
    group: group.Name,
    place: [
      ...tried.map((index) => place(index, true)),
      ...fresh.map((index) => place(index, false)),
      // Their room may be somebody else's by now.
      ...orphans.map((alloc) => ({ ...replacing({ alloc }, null, keepsVersion), previous: null })),
      ...migrating.map((holder) => replacing(holder, null, keepsVersion)),
      ...due.map(rescheduled),
      ...updating.map((holder) => replacing(holder, DESCRIPTION.updating, { ofItsVersion: false })),
    ],
    stop: [
      ...[...trial.stale, ...surplus.map(({ alloc }) => alloc)].map((alloc) => ({ alloc, description: DESCRIPTION.notNeeded })),
      ...[...migrating, ...retiring].map(({ alloc }) => ({ alloc, description: DESCRIPTION.migrating })),
    ],
    inPlace,
    later: later.map(({ alloc, fate }) => ({ alloc, at: fate.at })),
    heldBack: outdated.length - updating.length + (missing.length - fresh.length - orphans.length),
    canaries: trial.wanted,
    updates,
  };
}

/**
 * Allocations that have left a gap which no update has made: moved off, evicted, ended or lost, without a successor. Even
 * where an update may bring nothing new their places are filled again.
 */
function orphansOf(allocs: readonly Allocation[], kept: readonly Holder[], count: number): readonly Allocation[] {
  const held = new Set(kept.map(({ alloc }) => alloc.Name));
  const hasLeft = ({ DesiredTransition: { Migrate, MigrateDisablePlacement } }: Allocation): boolean =>
    Migrate === true && MigrateDisablePlacement !== true;
  const isGap = (a: Allocation): boolean => a.DesiredStatus === "evict" || (a.DesiredStatus === "stop" ? hasLeft(a) : isClientTerminal(a));
  const gaps = new Map<string, Allocation>();
  for (const a of allocs) {
    if (a.DeploymentStatus?.Canary) continue;
    if (!held.has(a.Name) && nameIndex(a.Name) < count && a.NextAllocation === "" && isGap(a)) gaps.set(a.Name, a);
  }
  return [...gaps.values()];
}

/** The group's canaries, and what of it is none. */
interface Trial {
  /** Until the promotion nothing else of the new version comes. */
  readonly isOn: boolean;
  readonly canaries: readonly Allocation[];
  /** Canaries of a deployment that is over. */
  readonly stale: readonly Allocation[];
  readonly others: readonly Allocation[];
  /** Canaries that there should be, and those that are still to be placed. */
  readonly wanted: number;
  readonly missing: number;
}

function trialOf(job: Job, group: TaskGroup, allocs: readonly Allocation[], { deployment }: JobState): Trial {
  const own: DeploymentState | undefined = deployment?.TaskGroups[group.Name];
  const isActive = deployment === undefined || deployment.Status === "running" || deployment.Status === "paused";
  const isCanary = (a: Allocation): boolean => a.DeploymentStatus?.Canary === true && !(a.DeploymentID === deployment?.ID && own?.Promoted);
  const candidates = allocs.filter((a) => isCanary(a) && !isDesiredTerminal(a));
  const canaries = isActive ? candidates.filter((a) => deployment !== undefined && a.DeploymentID === deployment.ID) : [];
  const others = allocs.filter((a) => !candidates.includes(a));
  const isOutdated = (a: Allocation): boolean =>
    isLive(a) && a.Job.Version !== job.Version && fateOf(a, job, group, { onTrial: false, isAsked: false })?.kind === "replace";
  const asked = job.Type === "service" ? (group.Update?.Canary ?? 0) : 0;
  const wanted = own ? own.DesiredCanaries : asked > 0 && others.some(isOutdated) ? asked : 0;
  const isOn = wanted > 0 && isActive && !own?.Promoted;
  const held = canaries.filter((a) => a.ClientStatus !== "complete" && a.ClientStatus !== "lost").length;
  return {
    isOn,
    canaries,
    stale: candidates.filter((a) => !canaries.includes(a) && isLive(a)),
    others,
    wanted,
    missing: isOn && deployment?.Status !== "paused" ? Math.max(0, wanted - held) : 0,
  };
}

/** Canaries have the names of what they are to replace, as far as there are enough. */
function canaryIndexes(missing: number, outdated: readonly Holder[], canaries: readonly Holder[], count: number): readonly number[] {
  const taken = new Set(canaries.map(({ alloc }) => nameIndex(alloc.Name)));
  const free = outdated.map(({ alloc }) => nameIndex(alloc.Name)).filter((index) => !taken.has(index));
  const picked = [...free].sort((a, b) => a - b).slice(0, missing);
  const beyond = new Set([...taken, ...picked, ...Array.from({ length: count }, (_, index) => index)]);
  return [...picked, ...lowestFree(beyond, missing - picked.length)];
}

/** Of several with one name the one that is wanted holds it, and of those the newest. In the order of the names. */
function onePerName(holders: readonly Holder[]): { readonly holders: readonly Holder[]; readonly doubles: readonly Holder[] } {
  const sorted = [...holders].sort(
    ({ alloc: a }, { alloc: b }) =>
      nameIndex(a.Name) - nameIndex(b.Name) ||
      Number(isDesiredTerminal(a)) - Number(isDesiredTerminal(b)) ||
      b.Job.Version - a.Job.Version ||
      Number(isClientTerminal(a)) - Number(isClientTerminal(b)),
  );
  const isFirst = (holder: Holder, i: number): boolean => i === 0 || sorted[i - 1]?.alloc.Name !== holder.alloc.Name;
  return { holders: sorted.filter(isFirst), doubles: sorted.filter((holder, i) => !isFirst(holder, i)) };
}

/**
 * How many running allocations may be replaced now: `MaxParallel` less those of this version that are not healthy yet,
 * and none when one of them is unhealthy. Source: Nomad's reconciler, computeLimit.
 */
function roomToUpdate(job: Job, group: TaskGroup, holders: readonly Holder[], { deployment }: JobState): number {
  const parallel = job.Type === "service" ? (group.Update?.MaxParallel ?? 0) : 0;
  if (parallel <= 0) return Number.POSITIVE_INFINITY;
  if (!deployment) return parallel;
  if (deployment.Status === "failed" || deployment.Status === "paused") return 0;
  const updated = holders.filter(({ alloc }) => alloc.DeploymentID === deployment.ID && !isDesiredTerminal(alloc));
  if (updated.some(({ alloc }) => alloc.DeploymentStatus?.Healthy === false)) return 0;
  return Math.max(0, parallel - updated.filter(({ alloc }) => alloc.DeploymentStatus?.Healthy !== true).length);
}

const isLive = (alloc: Allocation): boolean => !isClientTerminal(alloc) && !isDesiredTerminal(alloc);
