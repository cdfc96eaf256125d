import { mkdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { pino } from "pino";
import type { EphemeralDisk } from "../model/job.js";
import { allocRoot } from "./alloc-dir.js";
import { AllocGc, type AllocGcOptions } from "./alloc-gc.js";
import { settle } from "./testing/fake-clock.js";
import { aTask } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

let rig: Rig;
let gc: AllocGc | undefined;
let removed: string[];
let underWay: number;
let most: number;
let removeDir: (id: string) => Promise<void>;
let usage: { disk: number; inodes: number };

async function setUp(): Promise<void> {
  rig = new Rig();
  await rig.supervisor.start();
  removed = [];
  underWay = most = 0;
  usage = { disk: 10, inodes: 10 };
  removeDir = async (id) => {
    removed.push(id);
    most = Math.max(most, ++underWay);
    await new Promise(setImmediate);
    underWay--;
  };
}

async function tearDown(): Promise<void> {
  await gc?.stop();
  gc = undefined;
  await rig.close();
}

beforeEach(setUp);
afterEach(tearDown);

async function start(options: Partial<AllocGcOptions> = {}): Promise<AllocGc> {
  gc = new AllocGc({
    store: rig.store,
    clock: rig.clock,
    log: pino({ level: "silent" }),
    dataDir: rig.dataDir,
    ended: (id) => rig.supervisor.ended(id),
    isRunning: (id) => rig.supervisor.isRunning(id),
    removeDir: (id) => removeDir(id),
    usage: async () => usage,
    options: {
      intervalMs: 60_000,
      diskUsageThreshold: 80,
      inodeUsageThreshold: 70,
      maxAllocs: 50,
      maxAgeMs: 0,
      parallelDestroys: 2,
      ...options,
    },
  });
  await gc.start();
  return gc;
}

/** Allocations that have ended one after the other. */
async function ended(count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    ids.push(await rig.run([aTask("t")]));
    await rig.clock.advance(1_000);
    await rig.exit("t", 0);
  }
  return ids;
}

test("more than the limit go, oldest first, and never one that runs", async () => {
  await start({ maxAllocs: 2 });
  const running = await rig.run([aTask("long")]);
  const ids = await ended(5);
  expect(removed).toEqual(ids.slice(0, 3));
  expect(rig.store.alloc(ids[0] ?? "")?.ClientStatus).toBe("complete");
  expect(removed).not.toContain(running);
});

test("whatever the limit and however many there are, those that stay are the latest", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(4), fc.nat(8), fc.integer({ min: 1, max: 3 }), async (maxAllocs, count, parallelDestroys) => {
      await tearDown();
      await setUp();
      await start({ maxAllocs, parallelDestroys });
      const ids = await ended(count);
      expect(removed).toEqual(ids.slice(0, Math.max(0, count - maxAllocs)));
    }),
    { numRuns: 15 },
  );
});

test.each([
  ["disk", { disk: 81, inodes: 0 }],
  ["inodes", { disk: 0, inodes: 71 }],
])("a full disk (%s) takes one after the other until there is room", async (_, full) => {
  await start({ parallelDestroys: 1 });
  const ids = await ended(3);
  usage = full;
  const remove = removeDir;
  removeDir = async (id) => {
    await remove(id);
    if (removed.length === 2) usage = { disk: 10, inodes: 10 };
  };
  await rig.clock.advance(60_000);
  expect(removed).toEqual(ids.slice(0, 2));
});

test("the old go by their age", async () => {
  await start({ maxAgeMs: 3_600_000 });
  const ids = await ended(1);
  await rig.clock.advance(3_500_000);
  await ended(1);
  expect(removed).toEqual([]);
  await rig.clock.advance(200_000);
  expect(removed).toEqual(ids);
});

test("all are removed when asked for, at most so many at once", async () => {
  const own = await start();
  const ids = await ended(5);
  own.collectAll();
  for (let turn = 0; turn < 3; turn++) await settle();
  expect(removed).toEqual(ids);
  expect(most).toBe(2);
});

test("one is removed when asked for, when it is over, and once", async () => {
  const own = await start();
  const id = await rig.run([aTask("t")]);
  await expect(own.collect(id)).rejects.toThrow("No such allocation on client, or allocation not eligible for GC: it is running");
  await expect(own.collect("none")).rejects.toThrow('Unknown allocation "none"');
  await rig.exit("t", 0);
  await Promise.all([own.collect(id), own.collect(id)]);
  await own.collect(id);
  expect(removed).toEqual([id]);
});

test("what an earlier agent has left is known by its directory", async () => {
  const [first = "", second = ""] = await ended(2);
  mkdirSync(join(allocRoot(rig.dataDir), first), { recursive: true });
  await rig.until("both directories", () => rig.store.allocs().length === 2);
  const own = await start({ maxAllocs: 1 });
  await settle();
  await own.collect(second);
  expect(removed).toContain(first);
});

test("one that can not be removed is told to who asked, and tried again only later", async () => {
  let tries = 0;
  removeDir = async () => {
    tries++;
    throw new Error("busy");
  };
  const own = await start({ maxAllocs: 0 });
  const [id = ""] = await ended(1);
  expect(tries).toBe(1);
  await expect(own.collect(id)).rejects.toThrow("busy");
  await rig.clock.advance(60_000);
  expect(tries).toBe(3);
});

test("data that a replacement has yet to take over stays", async () => {
  const EphemeralDisk: EphemeralDisk = { Sticky: true, SizeMB: 300, Migrate: false };
  await start({ maxAllocs: 0 });
  const id = await rig.run([aTask("t")], { group: { EphemeralDisk } });
  await rig.exit("t", 1);
  expect(removed).toEqual([]);
  let release = (): void => {};
  rig.driver.onStart = () => new Promise((resolve) => (release = resolve));
  const next = await rig.run([aTask("t")], { group: { EphemeralDisk }, alloc: { PreviousAllocation: id } });
  await rig.desire(id, { NextAllocation: next, DesiredStatus: "stop" });
  await rig.clock.advance(60_000);
  expect(removed).toEqual([]);
  await rig.until("the start to be asked for", () => rig.types(next, "t").includes("Task Setup"));
  release();
  await rig.until("the replacement to run", () => rig.task(next, "t").State === "running");
  await rig.clock.advance(60_000);
  expect(removed).toEqual([id]);
});
