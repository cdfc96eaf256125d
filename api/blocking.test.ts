import { type BlockedQuery, BlockingQueries } from "./blocking.js";
import { ManualClock, ManualWatch } from "./testing/manual.js";

function setup(options: { maxBlockedQueries?: number; maxBlockedQueriesPerClient?: number } = {}) {
  const watch = new ManualWatch();
  const clock = new ManualClock();
  const state = { index: 5 };
  const blocking = new BlockingQueries({
    watch,
    clock,
    options: { maxBlockedQueries: 10, maxBlockedQueriesPerClient: 0, coalesceMs: 10, random: () => 0, ...options },
    latest: () => state.index,
  });
  const gone = new AbortController();
  const until = (query: Partial<BlockedQuery> = {}) => {
    const done = { settled: false };
    const waited = blocking
      .until({
        keys: ["alloc:a"],
        coalesce: false,
        minIndex: 5,
        client: "127.0.0.1",
        waitMs: 1_000,
        index: () => state.index,
        gone: gone.signal,
        ...query,
      })
      .finally(() => {
        done.settled = true;
      });
    return { done, waited };
  };
  return { watch, clock, blocking, state, gone, until };
}

test("newer data does not wait", async () => {
  const { until, watch } = setup();
  await until({ minIndex: 4 }).waited;
  expect(watch.subscriptions).toBe(0);
});

test("an index that is far ahead of all there is, from a state that is no more, does not wait", async () => {
  const { until, watch } = setup();
  await until({ minIndex: 1_006 }).waited;
  expect(watch.subscriptions).toBe(0);
  const { waited, done } = until({ minIndex: 1_005, waitMs: 1 });
  expect(done.settled).toBe(false);
  expect(watch.subscriptions).toBe(1);
  void waited;
});

test("a change of its key ends it at once", async () => {
  const { until, watch, state, clock } = setup();
  const { waited } = until();
  state.index = 6;
  watch.wake("alloc:a");
  await waited;
  expect([watch.subscriptions, clock.sleeping]).toEqual([0, 0]);
});

test("a change that does not pass the index goes on waiting", async () => {
  const { until, watch, state, clock } = setup();
  const { waited, done } = until({ minIndex: 9 });
  for (const index of [7, 9]) {
    state.index = index;
    watch.wake("alloc:a");
    await clock.settle();
    expect(done.settled).toBe(false);
  }
  state.index = 10;
  watch.wake("alloc:a");
  await waited;
});

test("it ends after its wait, with nothing left behind", async () => {
  const { until, watch, clock, blocking } = setup();
  const { waited, done } = until();
  await clock.advance(999);
  expect(done.settled).toBe(false);
  await clock.advance(1);
  await waited;
  expect([watch.subscriptions, clock.sleeping, blocking.waiting]).toEqual([0, 0, 0]);
});

test("the jitter is at most a sixteenth of the wait", async () => {
  const watch = new ManualWatch();
  const clock = new ManualClock();
  const blocking = new BlockingQueries({
    watch,
    clock,
    options: { maxBlockedQueries: 1, maxBlockedQueriesPerClient: 0, coalesceMs: 10, random: () => 1 },
    latest: () => 5,
  });
  let settled = false;
  const waited = blocking
    .until({
      keys: [],
      coalesce: false,
      minIndex: 5,
      client: "127.0.0.1",
      waitMs: 1_600,
      index: () => 5,
      gone: new AbortController().signal,
    })
    .then(() => {
      settled = true;
    });
  await clock.advance(1_699);
  expect(settled).toBe(false);
  await clock.advance(1);
  await waited;
});

test("a client that goes leaves no subscription and no timer", async () => {
  const { until, watch, clock, gone, blocking } = setup();
  const { waited } = until();
  expect([watch.subscriptions, clock.sleeping]).toEqual([1, 1]);
  gone.abort();
  await waited;
  expect([watch.subscriptions, clock.sleeping, blocking.waiting]).toEqual([0, 0, 0]);
});

test("lists that wake within one window answer together", async () => {
  const { until, watch, clock, state } = setup();
  const lists = [until({ coalesce: true, keys: ["allocs"] }), until({ coalesce: true, keys: ["allocs"] })];
  state.index = 6;
  watch.wake("allocs");
  await clock.advance(9);
  expect(lists.map((list) => list.done.settled)).toEqual([false, false]);
  await clock.advance(1);
  await Promise.all(lists.map((list) => list.waited));
});

test("one more than the limit is refused, and a freed place is taken again", async () => {
  const { until, gone } = setup({ maxBlockedQueries: 1, maxBlockedQueriesPerClient: 0 });
  const { waited } = until();
  await expect(until().waited).rejects.toMatchObject({ status: 429 });
  gone.abort();
  await waited;
  const other = until({ gone: new AbortController().signal, minIndex: 4 });
  await other.waited;
});

test("closing lets all go and nobody wait again", async () => {
  const { until, blocking, watch, clock } = setup();
  const { waited } = until();
  blocking.close();
  await waited;
  await until().waited;
  expect([watch.subscriptions, clock.sleeping]).toEqual([0, 0]);
});

test("one address can not take all places", async () => {
  const { until, state, watch } = setup({ maxBlockedQueriesPerClient: 2 });
  const waiting = [until(), until()];
  await expect(until().waited).rejects.toMatchObject({ status: 429, message: expect.stringMatching(/2 of your address/) });
  waiting.push(until({ client: "10.0.0.1" }));
  state.index = 6;
  watch.wake("alloc:a");
  await Promise.all(waiting.map(({ waited }) => waited));
  state.index = 5;
  const again = until();
  state.index = 7;
  watch.wake("alloc:a");
  await again.waited;
});
