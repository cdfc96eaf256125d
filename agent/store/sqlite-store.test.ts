import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { StoreOpenError } from "./errors.js";
import { RESTORE_GAP } from "./high-water.js";
import type { SqliteStoreOptions } from "./sqlite-store.js";
import type { Change } from "./state-store.js";
import { type RandomChange, randomChange } from "./testing/random-changes.js";
import { aDeployment, aJob, aNamespace, aNode, anEval, aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { StepClock } from "./testing/step-clock.js";
import { TemporaryStores } from "./testing/temporary-store.js";

let stores: TemporaryStores;

beforeAll(() => {
  stores = new TemporaryStores();
});

afterAll(() => stores.remove());

/** Looks into a closed store's database. */
function inDatabase<T>(dir: string, look: (db: Database.Database) => T): T {
  const db = new Database(join(dir, "state.db"));
  try {
    return look(db);
  } finally {
    db.close();
  }
}

const rowsOf = (dir: string, sql: string): readonly unknown[] => inDatabase(dir, (db) => db.prepare(sql).pluck().all());

/** Opens the directory, makes the changes one commit each, and closes it. */
async function committed(dir: string, changes: readonly Change[], options: Partial<SqliteStoreOptions> = {}): Promise<void> {
  const store = await stores.open(dir, options);
  await Promise.all(changes.map((change) => store.commit([change])));
  await stores.close(store);
}

test("a store that is opened again has what the closed one had, after any changes", async () => {
  const limits = { jobVersions: 2, completedEvals: 2, tombstones: 1, historyRows: 1_000 };
  const clock = new StepClock();
  const steps = fc.array(fc.record({ change: randomChange, reopen: fc.nat(25).map((chance) => chance === 0) }), {
    maxLength: 60,
    size: "max",
  });
  const check = async (sequence: readonly { change: RandomChange; reopen: boolean }[]): Promise<void> => {
    const dir = stores.newDir();
    let store = await stores.open(dir, { limits, clock });
    const reopened = async (): Promise<void> => {
      await store.commit([]);
      const before = store.snapshot();
      const history = await store.history({ limit: 10_000 });
      await stores.close(store);
      store = await stores.open(dir, { limits, clock });
      expect(store.snapshot()).toEqual(before);
      expect(await store.history({ limit: 10_000 })).toEqual(history);
    };
    const commits: Promise<number>[] = [];
    for (const { change, reopen } of sequence) {
      if (change.afterAllBefore) await store.commit([]);
      commits.push(store.commit([change.make(store)]));
      if (reopen) await reopened();
    }
    await Promise.all(commits);
    await reopened();
    await stores.close(store);
    rmSync(dir, { recursive: true });
  };
  await fc.assert(fc.asyncProperty(steps, check), { numRuns: 20 });
}, 600_000);

test("numbers come back digit for digit, and times as bigints however small", async () => {
  const dir = stores.newDir();
  const huge = 123_456_789_012_345_678_901_234n;
  const alloc = creation("a", {
    SourceIndex: 2n ** 63n - 1n,
    Job: aJob({ Opaque: { huge, tenth: 0.1, list: [1e21, -5] }, SubmitTime: 3n }),
  });
  const state = aTaskState({ StartedAt: 0n, LastRestart: 9n, Events: [aTaskEvent("Started", { Time: 2n })] });
  const handle = { run: 1, driver: { start: 2n ** 60n, pid: 5 }, hooksDone: [] };
  await committed(dir, [
    alloc,
    transition("a", "main", state),
    { kind: "alloc-observed", id: "a", patch: { DeploymentStatus: { Healthy: true, Timestamp: 4n, Canary: false, ModifyIndex: 0 } } },
    { kind: "task-handle", allocId: "a", task: "main", handle },
    { kind: "node", node: aNode() },
    { kind: "eval", eval: anEval("e", { WaitUntil: 6n }) },
  ]);
  const store = await stores.open(dir);
  expect(store.alloc("a")).toMatchObject({
    SourceIndex: 2n ** 63n - 1n,
    Job: { Opaque: { huge, tenth: 0.1, list: [1e21, -5] }, SubmitTime: 3n },
    TaskStates: { main: state },
    DeploymentStatus: { Timestamp: 4n },
  });
  expect(store.taskHandle("a", "main")).toEqual(handle);
  expect(store.node()).toMatchObject({ StatusUpdatedAt: 7n, Drivers: { raw_exec: { UpdateTime: 5n } } });
  expect(store.eval("e")?.WaitUntil).toBe(6n);
  await stores.close(store);
});

test("event 11 is shown no more and still in the history", async () => {
  const dir = stores.newDir();
  const events = Array.from({ length: 11 }, (_, place) => aTaskEvent(`${place + 1}`, { Details: { a: "b" }, ExitCode: place }));
  await committed(dir, [creation("a"), transition("a", "main", aTaskState({ Events: events }))]);
  const store = await stores.open(dir);
  expect(store.alloc("a")?.TaskStates?.main?.Events).toEqual(events.slice(1));
  expect((await store.history({ allocId: "a", limit: 50 })).map(({ event }) => event)).toEqual(events);
  await stores.close(store);
});

test("a long history is read in several pages", async () => {
  const dir = stores.newDir();
  const store = await stores.open(dir);
  const events = Array.from({ length: 2_500 }, (_, place) => aTaskEvent(`${place}`));
  await store.commit([creation("a"), transition("a", "main", aTaskState({ Events: events }))]);
  const rows = await store.history({ after: 100, limit: 2_100 });
  expect([rows.length, rows[0]?.seq, rows.at(-1)?.seq]).toEqual([2_100, 101, 2_200]);
  expect(await store.history({ allocId: "a", task: "main", after: 2_499, limit: 5_000 })).toHaveLength(1);
  await stores.close(store);
});

test("commits become visible in order while they share transactions", async () => {
  const store = await stores.open(stores.newDir());
  const seen: number[] = [];
  store.watch.subscribe((_, index) => seen.push(index));
  const indexes = await Promise.all(Array.from({ length: 500 }, (_, place) => store.commit([creation(`${place}`)])));
  expect(seen).toEqual(indexes);
  expect([...indexes].sort((a, b) => a - b)).toEqual(indexes);
  expect(store.allocs()).toHaveLength(500);
  await stores.close(store);
});

test("allocations of one version share one copy of the job, on disk and in memory, until the last is gone", async () => {
  const dir = stores.newDir();
  const Job = aJob({ Version: 1 });
  await committed(dir, [creation("a", { Job }), creation("b", { Job }), creation("c", { Job: aJob({ Version: 2 }) })]);
  expect(rowsOf(dir, "SELECT count(*) FROM job_copies")).toEqual([2]);
  const store = await stores.open(dir);
  expect(store.alloc("a")?.Job).toBe(store.alloc("b")?.Job);
  await store.commit([{ kind: "alloc-delete", id: "a" }]);
  await store.commit([{ kind: "alloc-desired", id: "c", patch: { Job: aJob({ Version: 3 }) } }]);
  await stores.close(store);
  expect(rowsOf(dir, "SELECT body ->> 'Version' FROM job_copies ORDER BY 1")).toEqual([1, 3]);
  await committed(dir, [{ kind: "alloc-delete", id: "b" }, creation("d", { Job }), { kind: "alloc-delete", id: "d" }]);
  expect(rowsOf(dir, "SELECT body ->> 'Version' FROM job_copies")).toEqual([3]);
});

test("a copy that goes and comes again within one transaction is there in the end", async () => {
  const dir = stores.newDir();
  const Job = aJob({ Version: 1 });
  await committed(dir, [creation("a", { Job }), { kind: "alloc-delete", id: "a" }, creation("b", { Job })]);
  const store = await stores.open(dir);
  expect(store.allocs().map(({ ID, Job: copy }) => [ID, copy.Version])).toEqual([["b", 1]]);
  await stores.close(store);
});

test("an id that is used again does not show the events of its earlier life", async () => {
  const dir = stores.newDir();
  const life = (Type: string): Change => transition("a", "main", aTaskState({ Events: [aTaskEvent(Type)] }));
  const limits = { tombstones: 1 };
  await committed(dir, [creation("a"), life("first"), { kind: "alloc-delete", id: "a" }], { limits });
  await committed(dir, [creation("b"), { kind: "alloc-delete", id: "b" }, creation("a"), life("second")], { limits });
  const store = await stores.open(dir);
  expect(store.alloc("a")?.TaskStates?.main?.Events.map(({ Type }) => Type)).toEqual(["second"]);
  expect((await store.history({ allocId: "a", limit: 9 })).map(({ event }) => event.Type)).toEqual(["first", "second"]);
  await stores.close(store);
});

test("files are for their owner only", async () => {
  const dir = stores.newDir();
  const store = await stores.open(dir);
  await store.commit([creation("a")]);
  const modes = ["", "state.db", "state.db-wal", "state.db-shm", "lock.db", "lock.pid"].map(
    (name) => statSync(join(dir, name)).mode & 0o777,
  );
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o600, 0o600, 0o600]);
  await stores.close(store);
});

test("a second opener is refused with the directory and the pid of the first, however often it tries", async () => {
  const dir = stores.newDir();
  const store = await stores.open(dir);
  for (let attempt = 0; attempt < 2; attempt++) {
    const error = await stores.open(dir).catch((refusal: unknown) => refusal);
    expect(error).toMatchObject({ name: "StoreOpenError", reason: "locked", path: dir });
    expect((error as Error).message).toBe(
      `${dir} is in use by another allocd agent (pid ${process.pid}): stop it first or use another directory`,
    );
  }
  await store.commit([creation("a")]);
  await stores.close(store);
  await committed(dir, [creation("b")]);
});

test("a database of a later version is refused and left as it is", async () => {
  const dir = stores.newDir();
  await committed(dir, []);
  inDatabase(dir, (db) => db.pragma("user_version = 99"));
  const before = readFileSync(join(dir, "state.db"));
  await expect(stores.open(dir)).rejects.toMatchObject({
    reason: "newer",
    message: expect.stringContaining("is of version 99, written by a later allocd"),
  });
  expect(readFileSync(join(dir, "state.db")).equals(before)).toBe(true);
  expect(readdirSync(dir).sort()).toEqual(["lock.db", "state.db"]);
});

test("a path that can not be a directory is refused by name", async () => {
  const path = stores.newDir();
  writeFileSync(path, "");
  await expect(stores.open(join(path, "state"))).rejects.toBeInstanceOf(StoreOpenError);
  await expect(stores.open(path)).rejects.toMatchObject({ reason: "unusable", message: expect.stringContaining(path) });
});

test("an older database in its directory continues far above what was handed out", async () => {
  const dir = stores.newDir();
  await committed(dir, [
    creation("a"),
    { kind: "job", job: aJob(), spec: true },
    { kind: "eval", eval: anEval("e") },
    { kind: "deployment", deployment: aDeployment("d") },
    { kind: "node", node: aNode() },
  ]);
  const backup = readFileSync(join(dir, "state.db"));
  await committed(dir, [creation("lost")]);
  writeFileSync(join(dir, "state.db"), backup);
  const store = await stores.open(dir);
  const next = 7 + RESTORE_GAP;
  expect([store.index, store.tableIndex("allocs"), store.alloc("lost")]).toEqual([next, next, undefined]);
  const objects = [store.alloc("a"), store.job("default", "web"), store.eval("e"), store.deployment("d"), store.node()];
  expect(objects.map((object) => object?.ModifyIndex)).toEqual(objects.map(() => next));
  expect(objects.map((object) => object?.CreateIndex)).toEqual([2, 3, 4, 5, 6]);
  expect(store.job("default", "web")?.SubmitTime).toBe(aJob().SubmitTime);
  expect(await store.commit([creation("b")])).toBe(next + 1);
  await stores.close(store);
  const again = await stores.open(dir);
  expect(again.index).toBe(next + 1);
  await stores.close(again);
});

test("when the thread is gone, the agent is told and every commit is rejected", async () => {
  const dir = stores.newDir();
  let fatal: Error | undefined;
  const store = await stores.open(dir, {
    workerUrl: stores.compiled.url("agent/store/testing/dying-worker.ts"),
    onFatal: (error) => (fatal = error),
  });
  await expect(store.commit([creation("a")])).rejects.toThrow("the thread was told to die");
  await expect(store.commit([creation("b")])).rejects.toThrow("the store is closed");
  expect([fatal?.message, store.degraded]).toEqual(["the thread was told to die", "the thread was told to die"]);
  await stores.close(store);
});

test("namespaces and launches are there after a restart, and a launch goes with its job", async () => {
  const dir = stores.newDir();
  await committed(dir, [
    { kind: "namespace", namespace: aNamespace({ Name: "web", Meta: { a: "b" } }) },
    { kind: "namespace", namespace: aNamespace({ Name: "gone" }) },
    { kind: "namespace-delete", name: "gone" },
    { kind: "job", job: aJob({ ID: "a", Namespace: "web" }), spec: true },
    { kind: "job", job: aJob({ ID: "b", ParentID: "a", Namespace: "web" }), spec: true },
    { kind: "periodic-launch", namespace: "web", id: "a", launch: 5 },
    { kind: "periodic-launch", namespace: "web", id: "b", launch: 6 },
    { kind: "periodic-launch", namespace: "web", id: "unknown", launch: 7 },
    { kind: "job-delete", namespace: "web", id: "b" },
  ]);
  const store = await stores.open(dir);
  expect(store.namespaces().map(({ Name, CreateIndex }) => [Name, CreateIndex])).toEqual([
    ["default", 1],
    ["web", 2],
  ]);
  expect(["a", "b", "unknown"].map((id) => store.periodicLaunch("web", id))).toEqual([5, undefined, undefined]);
  expect(store.childrenOfJob("web", "a")).toEqual([]);
  await expect(store.commit([{ kind: "job", job: aJob({ Namespace: "gone" }), spec: true }])).rejects.toMatchObject({ status: 400 });
  await expect(store.commit([{ kind: "namespace-delete", name: "web" }])).rejects.toMatchObject({ status: 409 });
  await stores.close(store);
});
