import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import type { DesiredAllocation } from "../model/allocation.js";
import { MemoryStore } from "../store/memory-store.js";
import type { Change, StateStore } from "../store/state-store.js";
import { aTaskEvent, aTaskState, transition } from "../store/testing/samples.js";
import { adoptAllocs } from "./adopt-allocs.js";
import { allocRoot, writeAllocFile } from "./alloc-dir.js";
import { AllocRecorder } from "./alloc-recorder.js";
import { FakeClock, settle } from "./testing/fake-clock.js";
import { aGroup, aJob, anAlloc, aTask } from "./testing/fixtures.js";

const log = pino({ level: "silent" });
let dataDir: string;
let clock: FakeClock;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "allocd-adopt-"));
  clock = new FakeClock();
});

afterEach(() => rmSync(dataDir, { recursive: true }));

const aStore = (): MemoryStore => new MemoryStore({ clock, log });
const SubmitTime = 1_795_447_296_727_104_856n;
const job = aJob(aGroup([aTask("t")]), "service", { SubmitTime });

/** A host on which things happen, with the records that are left of them. */
class Host {
  readonly store = aStore();
  readonly recorder = new AllocRecorder({ store: this.store, clock, log, dataDir });

  constructor() {
    this.recorder.start();
  }

  async place(more: Partial<DesiredAllocation> = {}): Promise<string> {
    const alloc = anAlloc(this.store.job("default", "j") ?? job, more);
    await this.store.commit([{ kind: "alloc-create", alloc }]);
    mkdirSync(join(allocRoot(dataDir), alloc.ID), { recursive: true });
    const created = this.store.alloc(alloc.ID);
    if (created) writeAllocFile(dataDir, created);
    return alloc.ID;
  }

  async happens(id: string, State: "running" | "dead", run: number, ...types: readonly string[]): Promise<void> {
    const before = this.store.alloc(id)?.TaskStates?.t?.Events ?? [];
    const events = types.map((Type) => aTaskEvent(Type, { Time: clock.now() }));
    const state = aTaskState({ State, Events: [...before, ...events], StartedAt: 5n ** 26n });
    const report = transition(id, "t", { ...state, Events: events }, run);
    const handle: Change = {
      kind: "task-handle",
      allocId: id,
      task: "t",
      handle: { run, driver: State === "dead" ? null : { bootId: "b" }, hooksDone: [] },
    };
    const patch = report.kind === "alloc-observed" ? { ...report.patch, TaskStates: { t: state } } : {};
    await this.store.commit([
      { kind: "alloc-observed", id, patch: { ...patch, ClientStatus: State === "dead" ? "complete" : "running" } },
      handle,
    ]);
  }

  async end(): Promise<number> {
    await this.recorder.stop();
    await this.store.close();
    return this.store.index;
  }
}

const adopt = (store: StateStore, isOlder: boolean, knownIndex: number) => adoptAllocs({ store, dataDir, log, isOlder, knownIndex });

test("a store that has lost everything finds allocations, jobs, histories and what finds the tasks again in the records", async () => {
  const host = new Host();
  await host.store.commit([{ kind: "job", job, spec: true }]);
  const running = await host.place();
  const ended = await host.place();
  const fresh = await host.place();
  await host.happens(running, "running", 3, "Received", "Started");
  await host.happens(ended, "dead", 1, "Received", "Started", "Terminated");
  const index = await host.end();

  const store = aStore();
  expect(await adopt(store, true, 0)).toEqual({ adopted: 3, updated: 0, removed: 0, unreadable: 0 });
  expect(store.alloc(running)).toMatchObject({ ClientStatus: "running", DesiredStatus: "run", TaskStates: { t: { State: "running" } } });
  expect(store.alloc(ended)).toMatchObject({ ClientStatus: "complete", TaskStates: { t: { State: "dead" } } });
  expect(store.alloc(fresh)).toMatchObject({ ClientStatus: "pending", TaskStates: null });
  expect(store.taskHandle(running, "t")).toEqual({ run: 3, driver: { bootId: "b" }, hooksDone: [] });
  expect((await store.history({ allocId: ended, limit: 9 })).map(({ event }) => event.Type)).toEqual(["Received", "Started", "Terminated"]);
  expect(store.job("default", "j")).toMatchObject({ Version: 0, Status: "running" });
  expect(store.alloc(running)?.Job.CreateIndex).toBe(store.job("default", "j")?.CreateIndex);
  expect(store.index).toBeGreaterThan(index + 1_000_000);
  expect(await adopt(store, false, store.index)).toBeNull();
});

test("a backup is brought up to date: what ended since does not run again, what was removed since is forgotten", async () => {
  const host = new Host();
  await host.store.commit([{ kind: "job", job, spec: true }]);
  const [ended, restarted, removed, old] = [await host.place(), await host.place(), await host.place(), await host.place()];
  for (const id of [ended, restarted, removed]) await host.happens(id, "running", 1, "Received", "Started");
  await host.happens(old, "dead", 1, "Received", "Terminated");

  const backup = aStore();
  const created = [ended, restarted, removed, old].map((id): Change => {
    const {
      ClientStatus: _a,
      ClientDescription: _b,
      TaskStates: _c,
      DeploymentStatus: _d,
      NetworkStatus: _e,
      ...alloc
    } = host.store.alloc(id) ?? ({} as never);
    return { kind: "alloc-create", alloc };
  });
  await backup.commit([{ kind: "job", job, spec: true }, ...created]);
  for (const id of [ended, restarted, removed])
    await backup.commit([transition(id, "t", host.store.alloc(id)?.TaskStates?.t ?? aTaskState())]);
  await backup.commit([
    { kind: "alloc-observed", id: old, patch: { ClientStatus: "complete", TaskStates: { t: aTaskState({ State: "dead" }) } } },
  ]);
  const knownIndex = host.store.index;

  await host.happens(ended, "dead", 1, "Terminated", "Not Restarting");
  await host.happens(restarted, "running", 5, "Terminated", "Restarting", "Started");
  const newer = await host.place();
  await host.store.commit([{ kind: "alloc-desired", id: restarted, patch: { DesiredStatus: "stop" } }]);
  await host.end();
  for (const name of [removed, `${removed}.json`, `${removed}.state.json`, old, `${old}.json`, `${old}.state.json`]) {
    rmSync(join(allocRoot(dataDir), name), { recursive: true });
  }

  expect(await adopt(backup, true, knownIndex)).toEqual({ adopted: 1, updated: 2, removed: 1, unreadable: 0 });
  expect(backup.alloc(ended)).toMatchObject({ ClientStatus: "complete", TaskStates: { t: { State: "dead" } } });
  expect((await backup.history({ allocId: ended, limit: 9 })).map(({ event }) => event.Type)).toEqual([
    "Received",
    "Started",
    "Terminated",
    "Not Restarting",
  ]);
  expect(backup.alloc(restarted)).toMatchObject({ ClientStatus: "running", DesiredStatus: "stop" });
  expect(backup.taskHandle(restarted, "t")?.run).toBe(5);
  expect([backup.alloc(removed), backup.isTombstone(removed)]).toEqual([undefined, true]);
  expect(backup.alloc(old)).toMatchObject({ ClientStatus: "complete" });
  expect(backup.alloc(newer)).toMatchObject({ ClientStatus: "pending" });
});

test("a store that knows every record is left as it is, and one that was removed is not taken up", async () => {
  const host = new Host();
  const id = await host.place({ Ingested: true });
  await host.happens(id, "running", 1, "Started");
  await host.recorder.stop();
  const before = host.store.index;
  expect(await adopt(host.store, false, before)).toBeNull();
  await host.store.commit([{ kind: "alloc-delete", id }]);
  expect(await adopt(host.store, true, before)).toMatchObject({ adopted: 0, removed: 0 });
  expect(host.store.alloc(id)).toBeUndefined();
});

test("a job that was stopped is not taken up, and of two versions the later is", async () => {
  const host = new Host();
  await host.store.commit([{ kind: "job", job, spec: true }]);
  const first = await host.place();
  await host.store.commit([{ kind: "job", job: { ...job, Version: 1, SubmitTime: SubmitTime + 1n }, spec: true }]);
  const second = await host.place();
  const other = aJob(aGroup([aTask("t")]), "service", { ID: "stopped" });
  const stopped = await host.place({ JobID: "stopped", Job: other });
  for (const id of [first, second, stopped]) await host.happens(id, "running", 1, "Started");
  await host.store.commit([{ kind: "alloc-desired", id: stopped, patch: { DesiredStatus: "stop" } }]);
  await host.end();
  const store = aStore();
  await adopt(store, true, 0);
  expect(store.jobs().map(({ ID, Version }) => [ID, Version])).toEqual([["j", 1]]);
  const { CreateIndex } = store.job("default", "j") ?? { CreateIndex: -1 };
  expect([first, second].map((id) => [store.alloc(id)?.Job.CreateIndex, store.alloc(id)?.Job.Version])).toEqual([
    [CreateIndex, 0],
    [CreateIndex, 1],
  ]);
});

test("a job comes with its namespace", async () => {
  const host = new Host();
  const elsewhere = aJob(aGroup([aTask("t")]), "service", { ID: "w", Namespace: "web" });
  const id = await host.place({ JobID: "w", Namespace: "web", Job: elsewhere });
  await host.end();
  const store = aStore();
  expect(await adopt(store, true, 0)).toMatchObject({ adopted: 1 });
  expect([store.namespace("web")?.Name, store.job("web", "w")?.ID, store.alloc(id)?.Namespace]).toEqual(["web", "w", "web"]);
});

test.each(["", "{", "null", "[]", '{"version":1}', '{"version":1,"alloc":{"ID":"other"}}', '{"version":1,"alloc":{"ID":1,"Job":{}}}'])(
  "a record that reads %j is told and passed over",
  async (text) => {
    const host = new Host();
    const good = await host.place({ Ingested: true });
    await host.end();
    const id = randomUUID();
    mkdirSync(allocRoot(dataDir), { recursive: true });
    writeFileSync(join(allocRoot(dataDir), `${id}.json`), text);
    const store = aStore();
    expect(await adopt(store, true, 0)).toEqual({ adopted: 1, updated: 0, removed: 0, unreadable: 1 });
    expect(store.allocs().map(({ ID }) => ID)).toEqual([good]);
  },
);

test("the record follows the allocation, a burst is written once, and it goes with the allocation", async () => {
  const host = new Host();
  const id = await host.place({ Ingested: true });
  const file = join(allocRoot(dataDir), `${id}.state.json`);
  for (let run = 1; run <= 20; run++) await host.happens(id, "running", run, "Started");
  expect(existsSync(file)).toBe(false);
  await clock.advance(100);
  for (const end = Date.now() + 5_000; !existsSync(file) && Date.now() < end; ) await settle();
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ version: 1, alloc: { ID: id }, handles: { t: { run: 20 } } });
  await host.happens(id, "dead", 20, "Terminated");
  await host.store.commit([{ kind: "alloc-delete", id }]);
  rmSync(file);
  await host.end();
  expect(readdirSync(allocRoot(dataDir)).filter((name) => name.includes("state"))).toEqual([]);
});
