import fc from "fast-check";
import {
  asksForRestart,
  type CheckOutcome,
  type CheckStatus,
  countForRestart,
  countOutcome,
  isAcceptable,
  newTally,
  summariseChecks,
} from "./check-status.js";
import { SECOND } from "./units.js";

const plain = { SuccessBeforePassing: 0, FailuresBeforeCritical: 0, FailuresBeforeWarning: 0 };
const outcome = fc.constantFrom<CheckOutcome>("success", "warning", "failure");
const after = (check: typeof plain, outcomes: readonly CheckOutcome[]): CheckStatus =>
  outcomes.reduce((tally, found) => countOutcome(check, tally, found), newTally({ InitialStatus: "" })).status;

test.each([
  ["", "pending"],
  ["passing", "success"],
  ["warning", "warning"],
  ["critical", "failure"],
] as const)("a check of initial status %j is %s until it has looked", (InitialStatus, status) => {
  expect(newTally({ InitialStatus }).status).toBe(status);
});

test("without thresholds the status is the latest result", () => {
  fc.assert(fc.property(fc.array(outcome, { minLength: 1 }), (all) => expect(after(plain, all)).toBe(all.at(-1))));
});

test.each<[Partial<typeof plain>, string, CheckStatus]>([
  [{ SuccessBeforePassing: 3 }, "s s", "pending"],
  [{ SuccessBeforePassing: 3 }, "s s s", "success"],
  [{ SuccessBeforePassing: 3 }, "s s f s s", "failure"],
  [{ SuccessBeforePassing: 3 }, "s s f s s s", "success"],
  [{ FailuresBeforeCritical: 2 }, "f", "pending"],
  [{ FailuresBeforeCritical: 2 }, "s f", "success"],
  [{ FailuresBeforeCritical: 2 }, "s f s f", "success"],
  [{ FailuresBeforeCritical: 2 }, "s f f", "failure"],
  [{ FailuresBeforeCritical: 3, FailuresBeforeWarning: 2 }, "s f f", "warning"],
  [{ FailuresBeforeCritical: 3, FailuresBeforeWarning: 2 }, "s f f f", "failure"],
])("%j after %s is %s", (thresholds, letters, status) => {
  const found = { s: "success", f: "failure" } as const;
  expect(
    after(
      { ...plain, ...thresholds },
      letters.split(" ").map((letter) => found[letter as "s" | "f"]),
    ),
  ).toBe(status);
});

test("a status changes only after as many results in a row as its threshold says", () => {
  fc.assert(
    fc.property(fc.array(outcome), fc.nat(4), fc.nat(4), (all, passing, critical) => {
      const check = { ...plain, SuccessBeforePassing: passing, FailuresBeforeCritical: critical };
      for (let at = 1; at <= all.length; at++) {
        const before = after(check, all.slice(0, at - 1));
        const now = after(check, all.slice(0, at));
        if (now === before) continue;
        const needed = Math.max(1, now === "failure" ? critical : passing);
        const row = all.slice(Math.max(0, at - needed), at);
        expect(row).toHaveLength(needed);
        expect(row.every((one) => (one === "failure") === (now === "failure"))).toBe(true);
      }
    }),
  );
});

test.each([
  ["require_healthy", "success"],
  ["ignore_warnings", "success warning"],
  ["ignore", "success warning failure"],
] as const)("%s accepts %s", (OnUpdate, accepted) => {
  const all: readonly CheckStatus[] = ["pending", "success", "warning", "failure"];
  expect(all.filter((status) => isAcceptable({ OnUpdate }, status)).join(" ")).toBe(accepted);
});

test("checks are passing since all of them are, and not any more when one is not", () => {
  const of = (...all: readonly CheckStatus[]) => all.map((status) => ({ check: { OnUpdate: "require_healthy" } as const, status }));
  expect(summariseChecks([], null, 5n)).toBeNull();
  expect(summariseChecks(of("success", "pending"), null, 5n)).toEqual({ desired: 2, passing: 1, passingSince: null });
  expect(summariseChecks(of("success", "success"), null, 6n)).toEqual({ desired: 2, passing: 2, passingSince: 6n });
  expect(summariseChecks(of("success", "success"), 6n, 9n)?.passingSince).toBe(6n);
  expect(summariseChecks(of("success", "failure"), 6n, 9n)?.passingSince).toBeNull();
});

describe("a restart", () => {
  const policy = { Limit: 3, Grace: 10 * SECOND, IgnoreWarnings: false };
  const counts = (statuses: readonly CheckStatus[], ages: readonly number[], of = policy) => {
    let count = 0;
    return statuses.map((status, i) => {
      count = countForRestart(of, count, status, (ages[i] ?? 0) * SECOND);
      return asksForRestart(of, count);
    });
  };

  test("is asked for by as many failures in a row as the limit says, after the grace", () => {
    const failing = Array.from({ length: 6 }, () => "failure" as const);
    expect(counts(failing, [2, 8, 12, 22, 32, 42])).toEqual([false, false, false, false, true, true]);
    expect(counts(["failure", "failure", "success", "failure"], [12, 22, 32, 42])).toEqual([false, false, false, false]);
    expect(counts(["pending", "pending", "pending"], [12, 22, 32])).toEqual([false, false, true]);
  });

  test("is asked for by warnings unless they are ignored", () => {
    const warnings = ["warning", "warning", "warning"] as const;
    expect(counts(warnings, [12, 22, 32]).at(-1)).toBe(true);
    expect(counts(warnings, [12, 22, 32], { ...policy, IgnoreWarnings: true }).at(-1)).toBe(false);
  });

  test("is never asked for without a limit", () => {
    expect(counts(["failure", "failure"], [12, 22], { ...policy, Limit: 0 })).toEqual([false, false]);
  });
});
