import fc from "fast-check";
import { aJob, anAlloc, aPolicy } from "../jobs/testing/fixtures.js";
import type { Allocation } from "./allocation.js";
import type { ReschedulePolicy } from "./job.js";
import { failTime, nextDelay, nextTracker, rescheduleAt } from "./reschedule.js";
import { HOUR, MINUTE, SECOND } from "./units.js";

const START = 1_795_447_331_000_000_000n;

const failed = (at: bigint, change: Partial<Allocation> = {}): Allocation =>
  anAlloc(aJob(), { ClientStatus: "failed", ModifyTime: at, ...change });

/** Delays of one failure after the other, each `ranFor` after it was placed. */
function delays(policy: ReschedulePolicy, attempts: number, ranFor = 0n): number[] {
  const found: number[] = [];
  let alloc = failed(START);
  for (let i = 0; i < attempts; i++) {
    const at = rescheduleAt(alloc, policy);
    if (at === null) break;
    found.push(Number(nextDelay(alloc, policy)) / SECOND);
    alloc = failed(at + ranFor, { RescheduleTracker: nextTracker(alloc, policy, at) });
  }
  return found;
}

describe("the wait before the next attempt", () => {
  const unlimited = { Unlimited: true, Attempts: 0, Delay: 5 * SECOND, MaxDelay: MINUTE };
  test.each([
    ["constant", [5, 5, 5, 5, 5, 5]],
    ["exponential", [5, 10, 20, 40, 60, 60]],
    ["fibonacci", [5, 5, 10, 15, 25, 40, 60, 60]],
  ] as const)("%s", (DelayFunction, want) => {
    expect(delays(aPolicy({ ...unlimited, DelayFunction }), want.length)).toEqual(want);
  });

  test("starts anew when the last attempt ran for longer than the longest wait", () => {
    expect(delays(aPolicy({ ...unlimited, DelayFunction: "exponential" }), 6, BigInt(2 * MINUTE))).toEqual([5, 10, 20, 40, 5, 10]);
  });

  test("never shrinks within a series and never exceeds the maximum", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("exponential" as const, "fibonacci" as const),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 50, max: 4_000 }),
        (fn, delay, max) => {
          const series = delays(aPolicy({ ...unlimited, DelayFunction: fn, Delay: delay * SECOND, MaxDelay: max * SECOND }), 12);
          expect(series).toEqual([...series].sort((a, b) => a - b));
          expect(Math.max(...series)).toBeLessThanOrEqual(max);
        },
      ),
    );
  });

  test("durations beyond 2^53 ns are exact", () => {
    const Delay = 9_007_199_254_740_993n;
    expect(rescheduleAt(failed(START), aPolicy({ Delay }))).toBe(START + Delay);
  });
});

describe("how often", () => {
  test.each([
    ["never without a policy", null, 0],
    ["never with no attempts", aPolicy({ Attempts: 0 }), 0],
    ["as often as attempts say", aPolicy({ Attempts: 2 }), 2],
    ["for ever when unlimited", aPolicy({ Attempts: 0, Unlimited: true }), 20],
  ])("%s", (_name, policy, count) => {
    expect(policy ? delays(policy, 20) : []).toHaveLength(count);
    if (count === 0) expect(rescheduleAt(failed(START), policy)).toBeNull();
  });

  test("attempts that are older than the interval no longer count", () => {
    expect(delays(aPolicy({ Attempts: 1, Interval: HOUR }), 4, BigInt(2 * HOUR))).toHaveLength(4);
  });
});

describe("the tracker", () => {
  test("names the one that failed and the wait", () => {
    const alloc = failed(START);
    expect(nextTracker(alloc, aPolicy(), START + 5n)).toEqual({
      Events: [{ RescheduleTime: START + 5n, PrevAllocID: alloc.ID, PrevNodeID: alloc.NodeID, Delay: 5 * SECOND }],
      LastReschedule: "ok",
    });
  });

  test("does not grow for ever", () => {
    const policy = aPolicy({ Unlimited: true });
    let alloc = failed(START);
    for (let i = 0; i < 30; i++) alloc = failed(START, { RescheduleTracker: nextTracker(alloc, policy, START) });
    expect(alloc.RescheduleTracker?.Events).toHaveLength(6);
  });
});

test("a failure counts from the end of the last task", () => {
  const state = { State: "dead" as const, Failed: true, Restarts: 0, LastRestart: null, StartedAt: null, Events: [] };
  const TaskStates = {
    a: { ...state, FinishedAt: START + 1n },
    b: { ...state, FinishedAt: START + 9n },
    c: { ...state, FinishedAt: null },
  };
  expect(failTime(failed(START + 100n, { TaskStates }))).toBe(START + 9n);
  expect(failTime(failed(START + 100n))).toBe(START + 100n);
});
