import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pino } from "pino";
import { allocPath, makeAllocDir, makeAllocRoot, makeTaskDir, readyDirs, removeAllocDir, taskDirs } from "./alloc-dir.js";
import { AllocMounts } from "./alloc-mounts.js";
import type { ReadyDirs } from "./ready-dirs.js";

const id = "aaaaaaaa-1111-2222-3333-444444444444";
let dataDir: string;
let ready: ReadyDirs;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "allocd-dir-"));
  ready = readyDirs(dataDir);
});
afterEach(async () => {
  await ready.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const mode = (...path: readonly string[]): string => (statSync(join(allocPath(dataDir, id), ...path)).mode & 0o7777).toString(8);

/** Waits until trees were made ahead. */
async function fill(): Promise<void> {
  makeAllocRoot(dataDir);
  ready.open();
  await waitFor(() => readdirSync(join(dataDir, "alloc/.ready")).filter((name) => name.startsWith("task-")).length > 1);
}

test.each([
  ["at once", async () => {}],
  ["ahead", fill],
])("modes let the tasks of a group share, and keep to themselves what is theirs: made %s", async (_when, prepare) => {
  await prepare();
  makeAllocDir(dataDir, id, ready);
  makeTaskDir(taskDirs(dataDir, id, "t"), "t", null, ready);
  expect((statSync(join(dataDir, "alloc")).mode & 0o7777).toString(8)).toBe("711");
  const modes = {
    ".": "755",
    alloc: "1777",
    "alloc/logs": "755",
    "alloc/data": "1777",
    "alloc/tmp": "1777",
    t: "755",
    "t/local": "755",
    "t/secrets": "700",
    "t/private": "700",
    "t/tmp": "755",
  };
  for (const [path, wanted] of Object.entries(modes)) expect([path, mode(path)]).toEqual([path, wanted]);
});

test.each([
  ["at once", async () => {}],
  ["ahead", fill],
])("the user of a task owns its directories, but not the group's: made %s", async (_when, prepare) => {
  await prepare();
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  // Only root can give directories away.
  const owner = own.uid === 0 ? { uid: 65_534, gid: 65_534 } : own;
  makeAllocDir(dataDir, id, ready);
  makeTaskDir(taskDirs(dataDir, id, "t"), "t", owner, ready);
  for (const path of ["t", "t/local", "t/secrets", "t/tmp"]) expect(statSync(join(allocPath(dataDir, id), path)).uid).toBe(owner.uid);
  for (const path of ["alloc", "alloc/logs", "t/private"]) expect(statSync(join(allocPath(dataDir, id), path)).uid).toBe(own.uid);
});

test("a link that a task put in place of its directory is left alone", () => {
  makeAllocDir(dataDir, id, ready);
  const dirs = taskDirs(dataDir, id, "t");
  makeTaskDir(dirs, "t", null, ready);
  const elsewhere = mkdtempSync(join(dataDir, "victim-"));
  rmSync(dirs.secrets, { recursive: true });
  symlinkSync(elsewhere, dirs.secrets);
  const before = statSync(elsewhere);
  makeTaskDir(dirs, "t", { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }, ready);
  expect(statSync(elsewhere)).toMatchObject({ mode: before.mode, uid: before.uid, ctimeMs: before.ctimeMs });
});

test.each(["alloc", "..", ".", "a/b", "../x", "a\0b"])("a task can not be called %p", (name) => {
  makeAllocDir(dataDir, id, ready);
  expect(() => makeTaskDir(taskDirs(dataDir, id, name), name, null, ready)).toThrow(/^Task\.Name: got /);
});

test("making what is there already changes nothing, removing what is gone is no error", async () => {
  makeAllocDir(dataDir, id, ready);
  makeAllocDir(dataDir, id, ready);
  const mounts = new AllocMounts({ mounter: null, log: pino({ level: "silent" }) });
  await removeAllocDir(dataDir, id, mounts);
  await removeAllocDir(dataDir, id, mounts);
  expect(existsSync(allocPath(dataDir, id))).toBe(false);
  expect(readdirSync(join(dataDir, "alloc"))).toEqual([]);
});

test("what an earlier agent has made ahead is used, but nothing in place of what is there", async () => {
  await fill();
  await ready.close();
  const before = readdirSync(join(dataDir, "alloc/.ready")).length;
  ready = readyDirs(dataDir);
  ready.open();
  makeAllocDir(dataDir, id, ready);
  makeTaskDir(taskDirs(dataDir, id, "t"), "t", null, ready);
  writeFileSync(join(allocPath(dataDir, id), "t/local/kept"), "");
  makeAllocDir(dataDir, id, ready);
  makeTaskDir(taskDirs(dataDir, id, "t"), "t", null, ready);
  expect(existsSync(join(allocPath(dataDir, id), "t/local/kept"))).toBe(true);
  expect(readdirSync(join(dataDir, "alloc/.ready")).length).toBe(before - 2);
});

async function waitFor(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 5_000; !condition(); await pause(10)) if (Date.now() > deadline) throw new Error("not within 5 s");
}
