import fc from "fast-check";
import { MAX_TASK_EVENTS } from "../model/task-state.js";
import { MemoryStore } from "./memory-store.js";
import type { Change } from "./state-store.js";
import { aNode, aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { StepClock } from "./testing/step-clock.js";
import { silent } from "./testing/temporary-store.js";
import { mergeReports, type Waiting } from "./waiting-reports.js";

const waiting = (...changes: readonly Change[]): Waiting & { settled: unknown[] } => {
  const settled: unknown[] = [];
  return { changes, settled, resolve: (index) => settled.push(index), reject: (error) => settled.push(error) };
};

const report = fc.oneof(
  fc
    .tuple(fc.constantFrom("a", "b"), fc.constantFrom("t", "u"), fc.nat(99), fc.nat(3))
    .map(([id, task, Restarts, events]) =>
      transition(id, task, aTaskState({ Restarts, Events: Array.from({ length: events }, () => aTaskEvent(`${Restarts}`)) })),
    ),
  fc
    .tuple(fc.constantFrom("a", "b"), fc.constantFrom("t", "u"), fc.nat(99))
    .map(([allocId, task, run]): Change => ({ kind: "task-handle", allocId, task, handle: { run, driver: null, hooksDone: [] } })),
  fc.bigInt({ min: 0n, max: 99n }).map((StatusUpdatedAt): Change => ({ kind: "node", node: aNode({ StatusUpdatedAt }) })),
  fc
    .constantFrom("run", "stop")
    .map((DesiredStatus): Change => ({ kind: "alloc-desired", id: "a", patch: { DesiredStatus: DesiredStatus as "run" } })),
);

/** The state after these commits, without the stamps and the events, of which some are left out. */
async function stateAfter(commits: readonly (readonly Change[])[]): Promise<unknown> {
  const store = new MemoryStore({ clock: new StepClock(), log: silent });
  for (const changes of [[creation("a"), creation("b")], ...commits]) await store.commit(changes);
  const { allocs, handles, node } = store.snapshot();
  await store.close();
  const bare = allocs.map(({ ID, DesiredStatus, TaskStates }) => [
    ID,
    DesiredStatus,
    Object.fromEntries(Object.entries(TaskStates ?? {}).map(([task, { Restarts, Events }]) => [task, [Restarts, Events.length]])),
  ]);
  return { bare, handles, node: node?.StatusUpdatedAt };
}

test("what is put together leads to the same state, and nobody is left waiting", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(report, { maxLength: 40 }), async (changes) => {
      const commits = changes.map((change) => waiting(change));
      const { commits: left } = mergeReports(commits);
      expect(await stateAfter(left.map((commit) => commit.changes))).toEqual(await stateAfter(changes.map((change) => [change])));
      left.forEach((commit, index) => {
        commit.resolve(index);
      });
      expect(commits.map(({ settled }) => settled.length)).toEqual(commits.map(() => 1));
    }),
    { numRuns: 100 },
  );
});

test("of each task the latest events are kept, and it is told how many are not", () => {
  const commits = Array.from({ length: 25 }, (_, place) =>
    waiting(transition("a", "t", aTaskState({ Restarts: place, Events: [aTaskEvent(`${place}`)] }))),
  );
  const { commits: left, droppedEvents } = mergeReports([
    ...commits,
    waiting(transition("a", "u", aTaskState({ Events: [aTaskEvent("other")] }))),
  ]);
  expect([left.length, droppedEvents]).toEqual([1, 25 - MAX_TASK_EVENTS]);
  const [change] = left[0]?.changes ?? [];
  const events = change?.kind === "alloc-observed" ? (change.patch.events ?? []) : [];
  expect(events.map(({ event }) => event.Type)).toEqual([
    ...Array.from({ length: MAX_TASK_EVENTS }, (_, place) => `${place + 15}`),
    "other",
  ]);
});

test("what is no report, and what mixes allocations, stays as it is", () => {
  const state = aTaskState();
  const commits = [
    waiting(creation("c")),
    waiting(transition("a", "t", state), transition("b", "t", state)),
    waiting(transition("a", "t", state), { kind: "alloc-desired", id: "a", patch: {} }),
    waiting(),
    waiting(transition("a", "t", state)),
  ];
  expect(mergeReports(commits).commits).toEqual(commits);
});
