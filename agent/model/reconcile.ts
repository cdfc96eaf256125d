import { type Allocation, isClientTerminal, isDesiredTerminal } from "./allocation.js";
import { DESCRIPTION, type Decision, type GroupDecision, type GroupUpdates, isSystem, type JobState } from "./decision.js";
import type { Job, UpdateStrategy } from "./job.js";
import { reconcileGroup } from "./reconcile-group.js";
import type { UnixNano } from "./units.js";

/**
 * What is to be done so that the host runs what the job asks for. Applying the decision and asking again leads to an
 * empty decision, until time passes or a task changes.
 */
export function reconcile(state: JobState): Decision {
  const { job } = state;
  const own = state.allocs.filter((a) => !a.Ingested);
  const isCurrent = (a: Allocation): boolean => job !== undefined && a.Job.CreateIndex === job.CreateIndex;
  const groups = job && !job.Stop ? job.TaskGroups : [];
  const wanted = new Set(groups.map((group) => group.Name));
  const unwanted = own.filter((a) => !(isCurrent(a) && wanted.has(a.TaskGroup)) && !isClientTerminal(a) && !isDesiredTerminal(a));
  const stagger = job ? staggerOf(job) : null;
  const isWaiting = stagger !== null && (state.rollingUntil ?? 0n) > state.now;
  let room = isWaiting ? 0 : (stagger?.parallel ?? Number.POSITIVE_INFINITY);
  const parts: GroupDecision[] = [];
  for (const group of job ? groups : []) {
    const mine = own.filter((a) => isCurrent(a) && a.TaskGroup === group.Name);
    const part = reconcileGroup(job as Job, group, mine, state, room);
    room -= part.updates.DestructiveUpdate;
    parts.push(part);
  }
  const heldBack = parts.reduce((sum, part) => sum + part.heldBack, 0);
  return {
    place: parts.flatMap((part) => part.place),
    stop: [...unwanted.map((alloc) => ({ alloc, description: DESCRIPTION.notNeeded })), ...parts.flatMap((part) => part.stop)],
    inPlace: parts.flatMap((part) => part.inPlace),
    later: parts.flatMap((part) => part.later),
    heldBack,
    canaries: Object.fromEntries(parts.map((part) => [part.group, part.canaries])),
    updates: { ...stopCounts(unwanted), ...Object.fromEntries(parts.map((part) => [part.group, part.updates])) },
    rollAt: stagger !== null && heldBack > 0 && !isWaiting ? state.now + stagger.wait : null,
  };
}

/** How the groups of a system job follow each other; null when all go at once. */
function staggerOf(job: Job): { readonly parallel: number; readonly wait: UnixNano } | null {
  const update = job.Update as Partial<UpdateStrategy> | null | undefined;
  const parallel = update?.MaxParallel ?? 0;
  const wait = BigInt(update?.Stagger ?? 0);
  return isSystem(job) && parallel > 0 && wait > 0n ? { parallel, wait } : null;
}

function stopCounts(allocs: readonly Allocation[]): Record<string, GroupUpdates> {
  const none = {
    Place: 0,
    Migrate: 0,
    InPlaceUpdate: 0,
    DestructiveUpdate: 0,
    Canary: 0,
    RescheduleNow: 0,
    RescheduleLater: 0,
    Ignore: 0,
  };
  const groups = new Map<string, GroupUpdates>();
  for (const { TaskGroup } of allocs) groups.set(TaskGroup, { ...none, Stop: (groups.get(TaskGroup)?.Stop ?? 0) + 1 });
  return Object.fromEntries(groups);
}
