import fc from "fast-check";
import { type HealthSituation, type HealthVerdict, healthPolicy, judgeHealth } from "./alloc-health.js";
import type { TaskGroup } from "./job.js";
import type { LifecycleTask } from "./lifecycle.js";
import type { TaskState } from "./task-state.js";
import { newTaskState } from "./task-transitions.js";
import { MINUTE, SECOND } from "./units.js";

const second = BigInt(SECOND);
const policy = { minHealthyTime: 10n * second, healthyDeadline: 300n * second, usesChecks: true };
const task = (Name: string, Hook?: "prestart" | "poststart" | "poststop", Sidecar = false): LifecycleTask => ({
  Name,
  Leader: false,
  Lifecycle: Hook ? { Hook, Sidecar } : null,
});

/** Times are seconds since the watch began. */
const pending: TaskState = newTaskState;
const running = (from: number): TaskState => ({ ...newTaskState, State: "running", StartedAt: BigInt(from) * second });
const dead = (from: number, to: number, Failed = false): TaskState => ({
  ...newTaskState,
  State: "dead",
  Failed,
  StartedAt: BigInt(from) * second,
  FinishedAt: BigInt(to) * second,
});

function judge(now: number, given: readonly (readonly [LifecycleTask, TaskState])[], more: Partial<HealthSituation> = {}): HealthVerdict {
  const states = new Map(given.map(([t, state]) => [t.Name, state]));
  return judgeHealth({
    policy,
    tasks: given.map(([t]) => t),
    states,
    failed: false,
    checks: null,
    probes: new Map(),
    since: 0n,
    now: BigInt(now) * second,
    ...more,
  });
}
const unhealthy = (messages: Readonly<Record<string, string>>): HealthVerdict => ({
  verdict: "unhealthy",
  messages: new Map(Object.entries(messages)),
});
const undecided = (until: number): HealthVerdict => ({ verdict: "undecided", lookAgainAt: BigInt(until) * second });
const healthy: HealthVerdict = { verdict: "healthy" };
const main = task("main");
const init = task("init", "prestart");

test.each<[string, HealthVerdict, HealthVerdict]>([
  ["running, but not for long enough", judge(14, [[main, running(5)]]), undecided(15)],
  ["running for long enough", judge(15, [[main, running(5)]]), healthy],
  ["nothing runs yet", judge(15, [[main, pending]]), undecided(300)],
  [
    "the latest start counts",
    judge(16, [
      [main, running(5)],
      [task("b"), running(9)],
    ]),
    undecided(19),
  ],
  [
    "a prestart that has ended is well",
    judge(30, [
      [init, dead(1, 2)],
      [main, running(3)],
    ]),
    healthy,
  ],
  [
    "so is one that is still at it",
    judge(30, [
      [init, running(1)],
      [task("side", "prestart", true), running(1)],
    ]),
    healthy,
  ],
  [
    "and a poststart that has ended",
    judge(30, [
      [main, running(1)],
      [task("after", "poststart"), dead(2, 3)],
    ]),
    healthy,
  ],
  [
    "poststop does not matter",
    judge(30, [
      [main, running(1)],
      [task("end", "poststop"), pending],
    ]),
    healthy,
  ],
  [
    "a failed task",
    judge(6, [
      [main, dead(5, 6, true)],
      [task("b"), running(5)],
    ]),
    unhealthy({ main: "Unhealthy because of failed task", b: "Task not running for min_healthy_time of 10s by healthy_deadline of 5m0s" }),
  ],
  [
    "a task that failed once and runs again",
    judge(60, [[main, { ...running(5), Failed: true }]]),
    unhealthy({ main: "Unhealthy because of failed task" }),
  ],
  ["a dead task", judge(6, [[main, dead(5, 6)]]), unhealthy({ main: "Unhealthy because of dead task" })],
  [
    "a dead sidecar of poststart",
    judge(6, [
      [main, running(1)],
      [task("s", "poststart", true), dead(2, 3)],
    ]),
    unhealthy({ main: "Task not running for min_healthy_time of 10s by healthy_deadline of 5m0s", s: "Unhealthy because of dead task" }),
  ],
  [
    "the deadline, while a task is not there",
    judge(300, [[main, pending]]),
    unhealthy({ main: "Task not running by healthy_deadline of 5m0s" }),
  ],
  [
    "the deadline, before it was well for long enough",
    judge(300, [[main, running(295)]]),
    unhealthy({ main: "Task not running for min_healthy_time of 10s by healthy_deadline of 5m0s" }),
  ],
  ["well in time, but looked at late", judge(400, [[main, running(200)]]), healthy],
  [
    "the allocation failed as a whole",
    judge(30, [[main, running(1)]], { failed: true }),
    unhealthy({ main: "Task not running for min_healthy_time of 10s by healthy_deadline of 5m0s" }),
  ],
  [
    "checks that pass for long enough",
    judge(40, [[main, running(1)]], { checks: { desired: 1, passing: 1, passingSince: 30n * second } }),
    healthy,
  ],
  [
    "checks that pass, but not for long enough",
    judge(39, [[main, running(1)]], { checks: { desired: 1, passing: 1, passingSince: 30n * second } }),
    undecided(40),
  ],
  ["checks that do not pass", judge(39, [[main, running(1)]], { checks: { desired: 2, passing: 1, passingSince: null } }), undecided(300)],
  [
    "checks that nobody asked about",
    judge(39, [[main, running(1)]], { policy: { ...policy, usesChecks: false }, checks: { desired: 1, passing: 0, passingSince: null } }),
    healthy,
  ],
])("%s", (_name, got, wanted) => {
  expect(got).toEqual(wanted);
});

test("an undecided one is looked at again later than now, and no later than the deadline", () => {
  const state = fc.oneof(
    fc.constant(pending),
    fc.nat(400).map(running),
    fc.tuple(fc.nat(400), fc.nat(400)).map(([from, to]) => dead(from, to)),
  );
  fc.assert(
    fc.property(fc.nat(400), fc.array(state, { maxLength: 4 }), (now, given) => {
      const result = judge(
        now,
        given.map((s, at) => [task(`t${at}`), s] as const),
      );
      if (result.verdict !== "undecided") return true;
      return result.lookAgainAt > BigInt(now) * second && result.lookAgainAt <= 300n * second;
    }),
  );
});

describe("the policy", () => {
  const update = { HealthCheck: "task_states", MinHealthyTime: SECOND, HealthyDeadline: MINUTE };
  const migrate = { HealthCheck: "checks", MinHealthyTime: 2 * SECOND, HealthyDeadline: 2 * MINUTE };
  const of = (Type: string, DeploymentID: string, group: object) =>
    healthPolicy({ Job: { Type }, DeploymentID } as never, group as TaskGroup);

  test("is the update block's in a deployment, else the migrate block's, else Nomad's own", () => {
    expect(of("service", "d", { Update: update, Migrate: migrate })).toEqual({
      minHealthyTime: second,
      healthyDeadline: 60n * second,
      usesChecks: false,
    });
    expect(of("service", "", { Update: update, Migrate: migrate })).toEqual({
      minHealthyTime: 2n * second,
      healthyDeadline: 120n * second,
      usesChecks: true,
    });
    expect(of("system", "", { Update: null, Migrate: null })).toEqual(policy);
  });

  test("is nobody's for batch jobs and where a person decides", () => {
    expect(of("batch", "", { Update: null, Migrate: null })).toBeNull();
    expect(of("service", "d", { Update: { ...update, HealthCheck: "manual" }, Migrate: null })).toBeNull();
  });
});
