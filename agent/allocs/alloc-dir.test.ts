import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allocPath, makeAllocDir, makeTaskDir, removeAllocDir, taskDirs } from "./alloc-dir.js";

const id = "aaaaaaaa-1111-2222-3333-444444444444";
let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "allocd-dir-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const mode = (...path: readonly string[]): string => (statSync(join(allocPath(dataDir, id), ...path)).mode & 0o7777).toString(8);

test("modes let the tasks of a group share, and keep to themselves what is theirs", () => {
  makeAllocDir(dataDir, id);
  makeTaskDir(taskDirs(dataDir, id, "t"), "t", null);
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

test("the user of a task owns its directories, but not the group's", () => {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  // Only root can give directories away.
  const owner = own.uid === 0 ? { uid: 65_534, gid: 65_534 } : own;
  makeAllocDir(dataDir, id);
  makeTaskDir(taskDirs(dataDir, id, "t"), "t", owner);
  for (const path of ["t", "t/local", "t/secrets", "t/tmp"]) expect(statSync(join(allocPath(dataDir, id), path)).uid).toBe(owner.uid);
  for (const path of ["alloc", "alloc/logs", "t/private"]) expect(statSync(join(allocPath(dataDir, id), path)).uid).toBe(own.uid);
});

test("a link that a task put in place of its directory is left alone", () => {
  makeAllocDir(dataDir, id);
  const dirs = taskDirs(dataDir, id, "t");
  makeTaskDir(dirs, "t", null);
  const elsewhere = mkdtempSync(join(dataDir, "victim-"));
  rmSync(dirs.secrets, { recursive: true });
  symlinkSync(elsewhere, dirs.secrets);
  const before = statSync(elsewhere);
  makeTaskDir(dirs, "t", { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  expect(statSync(elsewhere)).toMatchObject({ mode: before.mode, uid: before.uid, ctimeMs: before.ctimeMs });
});

test.each(["alloc", "..", ".", "a/b", "../x", "a\0b"])("a task can not be called %p", (name) => {
  makeAllocDir(dataDir, id);
  expect(() => makeTaskDir(taskDirs(dataDir, id, name), name, null)).toThrow(/^Task\.Name: got /);
});

test("making what is there already changes nothing, removing what is gone is no error", async () => {
  makeAllocDir(dataDir, id);
  makeAllocDir(dataDir, id);
  await removeAllocDir(dataDir, id);
  await removeAllocDir(dataDir, id);
  expect(existsSync(allocPath(dataDir, id))).toBe(false);
  expect(readdirSync(join(dataDir, "alloc"))).toEqual([]);
});
