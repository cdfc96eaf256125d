import { MAX_TASK_EVENTS } from "../model/task-state.js";
import type { Change, NewTaskEvent, ObservedPatch } from "./state-store.js";

/** A commit that waits for the disk. */
export interface Waiting {
  readonly changes: readonly Change[];
  readonly resolve: (index: number) => void;
  readonly reject: (error: unknown) => void;
}

type Report = Extract<Change, { kind: "alloc-observed" | "task-handle" | "node" }>;

/**
 * Puts together what waits of the same allocation, where the latest of it stands: the latest state counts, and of the
 * events the latest that a read shows. All else stays as it is and in order.
 *
 * @returns what is left, and how many events will not be in the history.
 */
export function mergeReports<C extends Waiting>(commits: readonly C[]): { readonly commits: readonly C[]; readonly droppedEvents: number } {
  const groups = new Map<string, C[]>();
  for (const commit of commits) {
    const subject = subjectOf(commit.changes);
    if (subject === null) continue;
    const group = groups.get(subject);
    if (group) group.push(commit);
    else groups.set(subject, [commit]);
  }
  let droppedEvents = 0;
  const left = commits.flatMap((commit): C[] => {
    const subject = subjectOf(commit.changes);
    const group = subject === null ? undefined : groups.get(subject);
    if (!group || group.length === 1) return [commit];
    if (group.at(-1) !== commit) return [];
    const { changes, dropped } = merged(group.flatMap((one) => one.changes as readonly Report[]));
    droppedEvents += dropped;
    return [
      {
        ...commit,
        changes,
        resolve: (index: number) => {
          for (const one of group) one.resolve(index);
        },
        reject: (error: unknown) => {
          for (const one of group) one.reject(error);
        },
      },
    ];
  });
  return { commits: left, droppedEvents };
}

/** The allocation that all of the changes report on, "node", or null when they are something else. */
function subjectOf(changes: readonly Change[]): string | null {
  const subjects = new Set(
    changes.map((change) => {
      if (change.kind === "alloc-observed") return change.id;
      if (change.kind === "task-handle") return change.allocId;
      return change.kind === "node" ? "node" : null;
    }),
  );
  const [subject = null] = subjects;
  return subjects.size === 1 ? subject : null;
}

function merged(reports: readonly Report[]): { readonly changes: readonly Change[]; readonly dropped: number } {
  const handles = new Map<string, Report>();
  let observed: Extract<Report, { kind: "alloc-observed" }> | undefined;
  let node: Report | undefined;
  for (const report of reports) {
    if (report.kind === "node") node = report;
    else if (report.kind === "task-handle") handles.set(report.task, report);
    else observed = observed ? { ...report, patch: both(observed.patch, report.patch) } : report;
  }
  const events = observed?.patch.events ?? [];
  const kept = latest(events);
  const slim = observed && events.length > 0 ? { ...observed, patch: { ...observed.patch, events: kept } } : observed;
  return { changes: [node, slim, ...handles.values()].filter((change) => change !== undefined), dropped: events.length - kept.length };
}

const both = (earlier: ObservedPatch, later: ObservedPatch): ObservedPatch => ({
  ...earlier,
  ...later,
  ...(earlier.TaskStates || later.TaskStates ? { TaskStates: { ...earlier.TaskStates, ...later.TaskStates } } : {}),
  ...(earlier.events || later.events ? { events: [...(earlier.events ?? []), ...(later.events ?? [])] } : {}),
});

/** Of each task as many as a read shows. */
function latest(events: readonly NewTaskEvent[]): readonly NewTaskEvent[] {
  const counts = new Map<string, number>();
  return events
    .toReversed()
    .filter(({ task }) => {
      const count = (counts.get(task) ?? 0) + 1;
      counts.set(task, count);
      return count <= MAX_TASK_EVENTS;
    })
    .reverse();
}
