import { AllocdError } from "../errors.js";
import { MemoryStore } from "./memory-store.js";
import type { Change } from "./state-store.js";
import { aDeployment, aJob, aNode, anEval, aRegistration, aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { StepClock } from "./testing/step-clock.js";
import { silent } from "./testing/temporary-store.js";

let clock: StepClock;
let store: MemoryStore;

beforeEach(() => {
  clock = new StepClock(1_000n);
  store = new MemoryStore({ clock, log: silent, limits: { jobVersions: 2, completedEvals: 2, tombstones: 2 } });
});

afterEach(() => store.close());

test("a commit is not visible before it is written, and then in order with its index", async () => {
  const seen: number[] = [];
  store.watch.subscribe((_, index) => seen.push(index, store.allocs().length, store.index));
  const first = store.commit([creation("a")]);
  const second = store.commit([creation("b")]);
  expect(store.allocs()).toEqual([]);
  expect([await first, await second]).toEqual([2, 3]);
  expect(seen).toEqual([2, 1, 2, 3, 2, 3]);
});

test("a table index is never 0 and moves with its own table only", async () => {
  expect(store.tableIndex("allocs")).toBe(1);
  const index = await store.commit([{ kind: "eval", eval: anEval("e") }]);
  expect([store.tableIndex("evals"), store.tableIndex("allocs"), store.index]).toEqual([index, 1, index]);
});

test("a new allocation is pending and carries the stamps of its commit", async () => {
  const index = await store.commit([creation("a")]);
  expect(store.alloc("a")).toMatchObject({
    ClientStatus: "pending",
    TaskStates: null,
    CreateIndex: index,
    ModifyIndex: index,
    AllocModifyIndex: index,
    CreateTime: 1_001n,
    ModifyTime: 1_001n,
  });
});

test("a desired change moves AllocModifyIndex, an observed one only ModifyIndex", async () => {
  const created = await store.commit([creation("a")]);
  const observed = await store.commit([{ kind: "alloc-observed", id: "a", patch: { ClientStatus: "running" } }]);
  expect(store.alloc("a")).toMatchObject({
    CreateIndex: created,
    ModifyIndex: observed,
    AllocModifyIndex: created,
    CreateTime: 1_001n,
    ModifyTime: 1_002n,
  });
  const desired = await store.commit([{ kind: "alloc-desired", id: "a", patch: { DesiredStatus: "stop" } }]);
  expect(store.alloc("a")).toMatchObject({
    DesiredStatus: "stop",
    ClientStatus: "running",
    ModifyIndex: desired,
    AllocModifyIndex: desired,
  });
});

test("a health of index 0 gets the index of its commit, any other keeps its own", async () => {
  await store.commit([creation("a")]);
  const health = { Healthy: true, Timestamp: 5n, Canary: false };
  const index = await store.commit([{ kind: "alloc-observed", id: "a", patch: { DeploymentStatus: { ...health, ModifyIndex: 0 } } }]);
  expect(store.alloc("a")?.DeploymentStatus?.ModifyIndex).toBe(index);
  await store.commit([{ kind: "alloc-observed", id: "a", patch: { DeploymentStatus: { ...health, ModifyIndex: 7 } } }]);
  expect(store.alloc("a")?.DeploymentStatus?.ModifyIndex).toBe(7);
  await store.commit([{ kind: "alloc-observed", id: "a", patch: { DeploymentStatus: null } }]);
  expect(store.alloc("a")?.DeploymentStatus).toBeNull();
});

test("a patch of one task leaves the states of the others", async () => {
  await store.commit([creation("a"), transition("a", "main", aTaskState()), transition("a", "side", aTaskState())]);
  await store.commit([transition("a", "main", aTaskState({ State: "running" }))]);
  expect(Object.entries(store.alloc("a")?.TaskStates ?? {}).map(([task, { State }]) => [task, State])).toEqual([
    ["main", "running"],
    ["side", "pending"],
  ]);
});

test("only a change of the specification moves JobModifyIndex", async () => {
  const registered = await store.commit([{ kind: "job", job: aJob(), spec: true }]);
  const running = await store.commit([{ kind: "job", job: aJob({ Status: "running" }), spec: false }]);
  expect(store.job("default", "web")).toMatchObject({ CreateIndex: registered, ModifyIndex: running, JobModifyIndex: registered });
  const changed = await store.commit([{ kind: "job", job: aJob({ Version: 1 }), spec: true }]);
  expect(store.job("default", "web")).toMatchObject({ CreateIndex: registered, ModifyIndex: changed, JobModifyIndex: changed });
});

test("job versions are kept newest first, each as it was last, up to the limit", async () => {
  for (const Version of [0, 1, 2]) await store.commit([{ kind: "job", job: aJob({ Version }), spec: true }]);
  await store.commit([{ kind: "job", job: aJob({ Version: 2, Stable: true }), spec: false }]);
  expect(store.jobVersions("default", "web").map(({ Version, Stable }) => [Version, Stable])).toEqual([
    [2, true],
    [1, false],
  ]);
  await store.commit([{ kind: "job-delete", namespace: "default", id: "web" }]);
  expect([store.job("default", "web"), store.jobVersions("default", "web")]).toEqual([undefined, []]);
});

test("evaluations, deployments and the node keep their creation stamps over changes", async () => {
  const put = (): Promise<number> =>
    store.commit([
      { kind: "eval", eval: anEval("e") },
      { kind: "deployment", deployment: aDeployment("d") },
      { kind: "node", node: aNode() },
    ]);
  const created = await put();
  const changed = await put();
  const times = { CreateTime: 1_001n, ModifyTime: 1_002n };
  expect(store.eval("e")).toMatchObject({ CreateIndex: created, ModifyIndex: changed, ...times });
  expect(store.deployment("d")).toMatchObject({ CreateIndex: created, ModifyIndex: changed, ...times });
  expect(store.node()).toMatchObject({ CreateIndex: created, ModifyIndex: changed, StatusUpdatedAt: 7n });
});

test("the oldest completed evaluation makes room for one more, a pending one never", async () => {
  const woken: string[] = [];
  await store.commit([{ kind: "eval", eval: anEval("blocked", { Status: "blocked" }) }]);
  for (const id of ["1", "2"]) await store.commit([{ kind: "eval", eval: anEval(id, { Status: "complete" }) }]);
  store.watch.once(["eval:1"], () => woken.push("eval:1"));
  await store.commit([{ kind: "eval", eval: anEval("3", { Status: "failed" }) }]);
  expect(store.evals().map(({ ID }) => ID)).toEqual(["blocked", "2", "3"]);
  expect(store.evalsOfJob("default", "web")).toHaveLength(3);
  expect(woken).toEqual(["eval:1"]);
});

test("a removed allocation leaves a tombstone and no handle, and its id is refused from then on", async () => {
  await store.commit([creation("a"), { kind: "task-handle", allocId: "a", task: "t", handle: { run: 1, driver: null, hooksDone: [] } }]);
  expect(store.taskHandle("a", "t")?.run).toBe(1);
  await store.commit([{ kind: "alloc-delete", id: "a" }]);
  expect([store.alloc("a"), store.isTombstone("a"), store.taskHandle("a", "t")]).toEqual([undefined, true, undefined]);
  await expect(store.commit([creation("a")])).rejects.toThrow(
    new AllocdError("conflict", "allocation a was removed and does not run again"),
  );
});

test("the oldest tombstone goes when there are too many", async () => {
  for (const id of ["a", "b", "c"]) await store.commit([creation(id), { kind: "alloc-delete", id }]);
  expect(["a", "b", "c"].map((id) => store.isTombstone(id))).toEqual([false, true, true]);
});

test("an allocation that is there can not be created again, not even while its first commit is on the way", async () => {
  const first = store.commit([creation("a")]);
  const changes: Change[] = [{ kind: "eval", eval: anEval("e") }, creation("a")];
  await expect(store.commit(changes)).rejects.toThrow(new AllocdError("conflict", "allocation a exists already"));
  await first;
  expect(store.eval("e")).toBeUndefined();
});

test("changes of what is not there come to nothing, and no listener hears of them", async () => {
  const heard: unknown[] = [];
  store.watch.subscribe((changes, at) => heard.push(changes, at));
  const index = await store.commit([
    { kind: "alloc-observed", id: "gone", patch: { ClientStatus: "running" } },
    { kind: "alloc-desired", id: "gone", patch: { DesiredStatus: "stop" } },
    { kind: "alloc-delete", id: "gone" },
    { kind: "task-handle", allocId: "gone", task: "t", handle: { run: 1, driver: null, hooksDone: [] } },
    { kind: "job-delete", namespace: "default", id: "gone" },
    { kind: "eval-delete", id: "gone" },
    { kind: "deployment-delete", id: "gone" },
  ]);
  expect(heard).toEqual([[], index]);
  expect([store.tableIndex("allocs"), store.isTombstone("gone")]).toEqual([1, false]);
});

test("a poller of one allocation wakes for it alone", async () => {
  await store.commit([creation("a"), creation("b")]);
  const woken: string[] = [];
  const [stopA, stopB] = ["alloc:a", "alloc:b", "allocs"].map((key) => store.watch.once([key], () => woken.push(key)));
  await store.commit([{ kind: "alloc-observed", id: "a", patch: { ClientStatus: "running" } }]);
  expect(woken.sort()).toEqual(["alloc:a", "allocs"]);
  stopA?.();
  stopB?.();
  expect(store.watch.size.keys).toBe(0);
});

test("a write of a task handle wakes nobody", async () => {
  await store.commit([creation("a")]);
  const index = store.tableIndex("allocs");
  await store.commit([{ kind: "task-handle", allocId: "a", task: "t", handle: { run: 1, driver: null, hooksDone: [] } }]);
  expect(store.tableIndex("allocs")).toBe(index);
});

test("the history is given in pages, by allocation and task", async () => {
  const events = ["1", "2", "3"].map((Type) => aTaskEvent(Type));
  await store.commit([
    creation("a"),
    creation("b"),
    transition("a", "x", aTaskState({ Events: events })),
    transition("b", "x", aTaskState({ Events: events })),
  ]);
  const page = await store.history({ allocId: "b", task: "x", limit: 2 });
  expect(page.map(({ seq, event }) => [seq, event.Type])).toEqual([
    [4, "1"],
    [5, "2"],
  ]);
  expect(await store.history({ allocId: "b", after: 5, limit: 2 })).toMatchObject([{ seq: 6, allocId: "b", task: "x", run: 1 }]);
  expect(await store.history({ task: "y", limit: 2 })).toEqual([]);
});

test("a closed store takes no more commits", async () => {
  const last = store.commit([creation("a")]);
  await store.close();
  expect(await last).toBe(2);
  await expect(store.commit([creation("b")])).rejects.toThrow("the store is closed");
});

describe("services", () => {
  test("that are registered again as they are change nothing, and wake nobody", async () => {
    await store.commit([creation("a"), { kind: "service", service: aRegistration("s") }]);
    const index = store.tableIndex("services");
    let wakes = 0;
    store.watch.once(["services"], () => wakes++);
    await store.commit([{ kind: "service", service: aRegistration("s") }]);
    expect([store.tableIndex("services"), wakes]).toEqual([index, 0]);
    await store.commit([{ kind: "service", service: aRegistration("s", { Tags: ["new"] }) }]);
    expect(store.service("s")).toMatchObject({ Tags: ["new"], CreateIndex: index });
    expect(wakes).toBe(1);
  });

  test("go with their allocation, and can not be registered without", async () => {
    await store.commit([
      creation("a"),
      { kind: "service", service: aRegistration("s") },
      { kind: "service", service: aRegistration("t", { AllocID: "b" }) },
    ]);
    expect(store.services().map(({ ID }) => ID)).toEqual(["s"]);
    await store.commit([{ kind: "alloc-delete", id: "a" }]);
    expect([store.services(), store.servicesNamed("web"), store.servicesOfAlloc("a")]).toEqual([[], [], []]);
  });
});
