import fc from "fast-check";
import { advanceStage, judgeGroup, killPhases, type LifecycleTask, mayStart, type Stage } from "./lifecycle.js";
import type { TaskState } from "./task-state.js";
import { newTaskState } from "./task-transitions.js";

const task = (Name: string, Hook?: "prestart" | "poststart" | "poststop", Sidecar = false, Leader = false): LifecycleTask => ({
  Name,
  Leader,
  Lifecycle: Hook ? { Hook, Sidecar } : null,
});
const init = task("init", "prestart");
const side = task("side", "prestart", true);
const main = task("main");
const after = task("after", "poststart");
const end = task("end", "poststop");
const all = [end, after, main, side, init];

type Short = "pending" | "running" | "dead" | "failed";
const states = (given: Readonly<Record<string, Short>>): Map<string, TaskState> =>
  new Map(
    Object.entries(given).map(([name, s]) => [name, { ...newTaskState, State: s === "failed" ? "dead" : s, Failed: s === "failed" }]),
  );
const names = new Set(all.map((t) => t.Name));
const stage = (from: Stage, given: Readonly<Record<string, Short>>, awaited: ReadonlySet<string> = names): Stage =>
  advanceStage(
    from,
    all,
    states({ end: "pending", after: "pending", main: "pending", side: "pending", init: "pending", ...given }),
    awaited,
  );

test.each<[string, Stage, Readonly<Record<string, Short>>, Stage]>([
  ["a new one begins with prestart", "init", {}, "prestart"],
  ["while several are restarted nobody starts", "init", { main: "running" }, "init"],
  ["a prestart that runs holds the others back", "prestart", { init: "running", side: "running" }, "prestart"],
  ["so does a sidecar that does not run yet", "prestart", { init: "dead" }, "prestart"],
  ["and a prestart that failed", "prestart", { init: "failed", side: "running" }, "prestart"],
  ["then main", "prestart", { init: "dead", side: "running" }, "main"],
  ["main that runs lets poststart begin", "main", { init: "dead", side: "running", main: "running" }, "poststart"],
  ["also when it has ended already", "main", { init: "dead", side: "running", main: "dead" }, "poststart"],
  ["then the wait for the end", "poststart", { init: "dead", side: "running", main: "running", after: "dead" }, "wait-alloc"],
  [
    "a restart of main later changes nothing",
    "wait-alloc",
    { init: "dead", side: "running", main: "pending", after: "dead" },
    "wait-alloc",
  ],
  ["poststop when all others are dead", "prestart", { init: "failed", side: "dead", main: "dead", after: "dead" }, "poststop"],
  [
    "a next agent gets to where the last one was",
    "prestart",
    { init: "dead", side: "running", main: "running", after: "dead" },
    "wait-alloc",
  ],
])("%s", (_name, from, given, to) => {
  expect(stage(from, given)).toBe(to);
});

test("init waits for those that are restarted, and for no others", () => {
  const given = { init: "dead", side: "running", main: "pending", after: "dead" } as const;
  expect(stage("init", given, new Set(["main", "side"]))).toBe("init");
  expect(stage("init", given, new Set(["main"]))).toBe("main");
});

test("who may start in which stage", () => {
  const who = (s: Stage): string =>
    all
      .filter((t) => mayStart(s, t))
      .map((t) => t.Name)
      .join();
  expect(who("init")).toBe("");
  expect(who("prestart")).toBe("side,init");
  expect(who("main")).toBe("main,side");
  expect(who("poststart")).toBe("after,main,side");
  expect(who("wait-alloc")).toBe("main,side");
  expect(who("poststop")).toBe("end");
});

describe("who decides over the others", () => {
  const boss = task("boss", undefined, false, true);
  test.each<[string, readonly LifecycleTask[], Readonly<Record<string, Short>>, unknown]>([
    ["nobody while all go on", [main, side], { main: "running", side: "running" }, null],
    [
      "a failed sibling",
      [main, boss],
      { main: "failed", boss: "running" },
      { verdict: { kind: "sibling-failed", sibling: "main" }, doomed: ["boss"] },
    ],
    ["a dead leader", [main, boss], { main: "running", boss: "dead" }, { verdict: { kind: "leader-dead" }, doomed: ["main"] }],
    [
      "a dead leader before a failed sibling",
      [main, boss, side],
      { main: "failed", boss: "dead", side: "running" },
      { verdict: { kind: "leader-dead" }, doomed: ["side"] },
    ],
    [
      "a failed leader as a sibling",
      [main, boss],
      { main: "running", boss: "failed" },
      { verdict: { kind: "sibling-failed", sibling: "boss" }, doomed: ["main"] },
    ],
    [
      "only sidecars are left",
      [main, side, end],
      { main: "dead", side: "running", end: "pending" },
      { verdict: { kind: "main-tasks-dead" }, doomed: ["side"] },
    ],
    ["a main task that is being restarted is left too", [main, side], { main: "pending", side: "running" }, null],
    ["a prestart that ended well decides nothing", [init, main], { init: "dead", main: "pending" }, null],
    ["a failed poststop decides nothing", [main, end], { main: "running", end: "failed" }, null],
    ["nobody is left to be ended", [main, end], { main: "failed", end: "pending" }, null],
  ])("%s", (_name, tasks, given, wanted) => {
    expect(judgeGroup(tasks, states(given))).toEqual(wanted);
  });
});

test("a sidecar flag without a hook means nothing", () => {
  const odd = { ...main, Lifecycle: { Hook: "" as never, Sidecar: true } };
  expect(judgeGroup([odd], states({ main: "running" }))).toBeNull();
  expect(mayStart("main", odd)).toBe(true);
});

const anyTask = fc.record({
  Hook: fc.constantFrom(undefined, "prestart" as const, "poststart" as const, "poststop" as const),
  Sidecar: fc.boolean(),
  Leader: fc.boolean(),
});
const anyGroup = fc.array(anyTask, { maxLength: 6 }).map((given) => given.map((t, at) => task(`t${at}`, t.Hook, t.Sidecar, t.Leader)));

test("each task but poststop ones is in exactly one phase of a kill, leaders before sidecars", () => {
  fc.assert(
    fc.property(anyGroup, (group) => {
      const phases = killPhases(group);
      expect(phases.flat().toSorted()).toEqual(
        group
          .filter((t) => t.Lifecycle?.Hook !== "poststop")
          .map((t) => t.Name)
          .toSorted(),
      );
      expect(phases.every((phase) => phase.length > 0)).toBe(true);
      const order = (holds: (t: LifecycleTask) => boolean): number[] =>
        group.filter(holds).map((t) => phases.findIndex((p) => p.includes(t.Name)));
      const leaders = order((t) => t.Leader && t.Lifecycle?.Hook !== "poststop");
      const others = order((t) => !t.Leader && t.Lifecycle?.Hook !== "poststop");
      expect(leaders.every((l) => others.every((o) => l < o))).toBe(true);
    }),
  );
});

test("a group whose tasks do as they are let gets to its end from anywhere", () => {
  fc.assert(
    fc.property(anyGroup, (group) => {
      const now = new Map<string, TaskState>(group.map((t) => [t.Name, newTaskState]));
      const to = (t: LifecycleTask, State: TaskState["State"]): void => void now.set(t.Name, { ...newTaskState, State });
      let at: Stage = "init";
      for (let round = 0; round < 30; round++) {
        at = advanceStage(at, group, now, new Set(group.map((t) => t.Name)));
        for (const t of group) if (now.get(t.Name)?.State === "pending" && mayStart(at, t)) to(t, "running");
        at = advanceStage(at, group, now, new Set());
        for (const t of group)
          if (now.get(t.Name)?.State === "running" && !(t.Lifecycle?.Sidecar && t.Lifecycle.Hook !== "poststop")) to(t, "dead");
        const judged = judgeGroup(group, now);
        for (const t of group) if (judged?.doomed.includes(t.Name)) to(t, "dead");
      }
      return [...now.values()].every((s) => s.State === "dead");
    }),
  );
});
