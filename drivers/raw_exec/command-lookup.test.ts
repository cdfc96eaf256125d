import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DriverError, type TaskDirs } from "../driver.js";
import { findCommand, findSessionCommand } from "./command-lookup.js";

let dir: string;
let dirs: TaskDirs;
const program = (...path: string[]): string => {
  const file = join(dir, ...path);
  writeFileSync(file, "#!/bin/sh\n", { mode: 0o755 });
  return file;
};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-lookup-test-"));
  for (const name of ["task/local", "bin"]) mkdirSync(join(dir, name), { recursive: true });
  const task = join(dir, "task");
  dirs = { alloc: dir, shared: dir, logs: dir, task, local: join(task, "local"), secrets: dir };
});
afterEach(() => rmSync(dir, { recursive: true }));

test("local/ comes before the task's directory, the task's directory before the host", () => {
  const onHost = program("bin", "tool");
  expect(findCommand("tool", dirs, join(dir, "bin"))).toBe(onHost);
  const inTask = program("task", "tool");
  expect(findCommand("tool", dirs, join(dir, "bin"))).toBe(inTask);
  const inLocal = program("task", "local", "tool");
  expect(findCommand("tool", dirs, join(dir, "bin"))).toBe(inLocal);
});

test("what is not there or can not run is an error that names it", () => {
  expect(() => findCommand("no-such", dirs, join(dir, "bin"))).toThrow(
    new DriverError('failed to launch command with executor: binary "no-such" could not be found', false),
  );
  chmodSync(program("bin", "plain"), 0o644);
  expect(() => findCommand("plain", dirs, join(dir, "bin"))).toThrow("is not executable");
  expect(() => findCommand(dir, dirs, "")).toThrow("could not be found");
});

test("a session's command is relative to its directory when it has a slash, and on the search path otherwise", () => {
  const tool = program("bin", "tool");
  expect(findSessionCommand("bin/tool", dir, "")).toBe(tool);
  expect(findSessionCommand("tool", dir, join(dir, "bin"))).toBe(tool);
  expect(findSessionCommand("tool", dir, "")).toBeUndefined();
});
