import fc from "fast-check";
import type { RestartPolicy } from "./job.js";
import { decideRestart, type RestartDecision, type RestartSituation, type RunEnd, restartsOnSuccess } from "./restart-policy.js";
import { MINUTE, SECOND } from "./units.js";

const policy: RestartPolicy = { Attempts: 2, Interval: MINUTE, Delay: 10 * SECOND, Mode: "fail", RenderTemplates: false };
const failure: RunEnd = { kind: "exited", successful: false };
const success: RunEnd = { kind: "exited", successful: true };
const fresh = { count: 0, intervalStart: 0 };

const decide = (end: RunEnd, more: Partial<RestartSituation> = {}): RestartDecision =>
  decideRestart({ policy, restartsOnSuccess: false, tracker: fresh, end, now: SECOND, random: 0, ...more });

const none = { ...policy, Attempts: 0 };
const spent = { tracker: { count: 2, intervalStart: 0 } };

test.each<[string, RunEnd, Partial<RestartSituation>, RestartDecision["decision"], string, number]>([
  ["a kill ends it", { kind: "killed" }, {}, "killed", "", 0],
  ["a kill ends it whatever the policy says", { kind: "killed" }, { policy: none }, "killed", "", 0],
  ["a restart that was asked for is done", { kind: "restart-requested" }, {}, "restart", "", 0],
  ["also with no attempts", { kind: "restart-requested" }, { policy: none }, "restart", "", 0],
  ["also with all attempts spent", { kind: "restart-requested" }, spent, "restart", "", 0],
  ["no attempts: a failure is one", failure, { policy: none }, "failed", "Policy allows no restarts", 0],
  ["no attempts: success of a batch task is none", success, { policy: none }, "completed", "Policy allows no restarts", 0],
  [
    "no attempts: success of a service task is one",
    success,
    { policy: none, restartsOnSuccess: true },
    "failed",
    "Policy allows no restarts",
    0,
  ],
  [
    "no attempts come before an unrecoverable start",
    { kind: "start-failed", recoverable: false },
    { policy: none },
    "failed",
    "Policy allows no restarts",
    0,
  ],
  [
    "a start that can not succeed is not tried again",
    { kind: "start-failed", recoverable: false },
    {},
    "failed",
    "Error was unrecoverable",
    0,
  ],
  ["one that may is", { kind: "start-failed", recoverable: true }, {}, "restart", "Restart within policy", 10 * SECOND],
  ["success of a batch task ends it", success, {}, "completed", "Restart unnecessary as task terminated successfully", 0],
  ["also with all attempts spent", success, spent, "completed", "Restart unnecessary as task terminated successfully", 0],
  ["success of a service task restarts it", success, { restartsOnSuccess: true }, "restart", "Restart within policy", 10 * SECOND],
  ["a failure within the policy", failure, { random: 0.5 }, "restart", "Restart within policy", 11.25 * SECOND],
  ["one too many", failure, spent, "failed", 'Exceeded allowed attempts 2 in interval 1m0s and mode is "fail"', 0],
  [
    "one too many in mode delay",
    failure,
    { ...spent, policy: { ...policy, Mode: "delay" } },
    "restart",
    "Exceeded allowed attempts, applying a delay",
    59 * SECOND,
  ],
  ["a new interval forgets", failure, { ...spent, now: MINUTE + 1 }, "restart", "Restart within policy", 10 * SECOND],
  [
    "an interval that is just over does not yet",
    failure,
    { ...spent, now: MINUTE },
    "failed",
    'Exceeded allowed attempts 2 in interval 1m0s and mode is "fail"',
    0,
  ],
  [
    "durations may be beyond doubles",
    failure,
    { policy: { ...policy, Interval: 2n ** 60n } },
    "restart",
    "Restart within policy",
    10 * SECOND,
  ],
])("%s", (_name, end, more, decision, reason, delay) => {
  expect(decide(end, more)).toMatchObject({ decision, reason, delay });
});

test("restarts that were asked for are never counted", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 40 }), fc.nat(10), (asked, Attempts) => {
      let tracker = fresh;
      let failures = 0;
      for (const [at, isAsked] of asked.entries()) {
        const result = decide(isAsked ? { kind: "restart-requested" } : failure, { policy: { ...policy, Attempts }, tracker, now: at });
        tracker = result.tracker;
        if (!isAsked && ++failures > Attempts) return result.decision === "failed";
        if (result.decision !== "restart") return false;
      }
      return true;
    }),
  );
});

test("a delay is the policy's plus up to a quarter, in whole nanoseconds", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e12 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (Delay, random) => {
      const { delay } = decide(failure, { policy: { ...policy, Delay }, random });
      return Number.isInteger(delay) && delay >= Delay && delay <= Delay * 1.25;
    }),
  );
});

test("mode delay never fails, and never waits for longer than the interval", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(90 * SECOND), { maxLength: 30 }), (gaps) => {
      let tracker = fresh;
      let now = 0;
      return gaps.every((gap) => {
        now += gap;
        const result = decide(failure, { policy: { ...policy, Mode: "delay", Delay: SECOND }, tracker, now });
        tracker = result.tracker;
        return result.decision === "restart" && result.delay >= 0 && result.delay <= MINUTE;
      });
    }),
  );
});

test.each([
  ["service", null, true],
  ["system", null, true],
  ["batch", null, false],
  ["sysbatch", null, false],
  ["service", { Hook: "prestart", Sidecar: false }, false],
  ["batch", { Hook: "prestart", Sidecar: true }, true],
  ["service", { Hook: "poststart", Sidecar: false }, false],
  ["batch", { Hook: "poststart", Sidecar: true }, true],
  ["service", { Hook: "poststop", Sidecar: false }, false],
] as const)("%s with %p runs again after success: %p", (type, lifecycle, wanted) => {
  expect(restartsOnSuccess(type, lifecycle)).toBe(wanted);
});
