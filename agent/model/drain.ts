import { type Allocation, type DesiredTransition, isClientTerminal, isDesiredTerminal } from "./allocation.js";
import { isBatch, isSystem } from "./decision.js";
import type { DrainStrategy } from "./node.js";
import type { UnixNano } from "./units.js";

export interface DrainStep {
  /** To be stopped now. */
  readonly next: readonly Allocation[];
  /** Nothing is left that would have to go. */
  readonly isDone: boolean;
}

/**
 * Who is next to leave a node that is drained: of each group of a service as many at a time as its migrate block says, batch
 * jobs when they are done or the deadline has come, system jobs when all others are gone. Source: Nomad's drainer.
 *
 * @param allocs the node's.
 */
export function drainStep(strategy: DrainStrategy, allocs: readonly Allocation[], now: UnixNano): DrainStep {
  const live = allocs.filter((a) => !isClientTerminal(a));
  const system = strategy.IgnoreSystemJobs ? [] : live.filter((a) => isSystem(a.Job));
  const others = live.filter((a) => !isSystem(a.Job));
  const isForced = strategy.Deadline < 0 || (strategy.ForceDeadline !== null && strategy.ForceDeadline <= now);
  const isLast = others.length === 0;
  const next = isForced ? [...others, ...system] : [...servicesInTurn(others), ...(isLast ? system : [])];
  return { next: next.filter((a) => !isLeaving(a)), isDone: others.length + system.length === 0 };
}

function servicesInTurn(allocs: readonly Allocation[]): readonly Allocation[] {
  const groups = new Map<string, Allocation[]>();
  for (const alloc of allocs) {
    if (isBatch(alloc.Job)) continue;
    const key = JSON.stringify([alloc.Namespace, alloc.JobID, alloc.TaskGroup]);
    groups.set(key, [...(groups.get(key) ?? []), alloc]);
  }
  return [...groups.values()].flatMap((members) => {
    const [first] = members;
    const parallel = first?.Job.TaskGroups.find(({ Name }) => Name === first.TaskGroup)?.Migrate?.MaxParallel ?? 1;
    const staying = members.filter((a) => !isLeaving(a));
    return staying.slice(0, Math.max(0, Math.max(1, parallel) - (members.length - staying.length)));
  });
}

const isLeaving = (alloc: Allocation): boolean => isDesiredTerminal(alloc) || alloc.DesiredTransition.Migrate === true;

/** Unlike one that was stopped by hand, a batch allocation is to run again elsewhere. */
export const drained = ({ Job, DesiredTransition }: Pick<Allocation, "Job" | "DesiredTransition">): DesiredTransition => ({
  ...DesiredTransition,
  Migrate: true,
  ...(isBatch(Job) && { Reschedule: true }),
});
