import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cgroupDirOf, pidsInCgroup } from "./container-pids.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-pids-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(join(dir, path, ".."), { recursive: true });
  writeFileSync(join(dir, path), text);
}

test.each([
  ["version 2", "cgroup2 $/fs cgroup2 rw 0 0", "0::/docker/abc", "fs/docker/abc"],
  ["version 1", "cgroup $/fs/memory cgroup rw,memory 0 0", "4:memory:/docker/abc\n0::/", "fs/memory/docker/abc"],
  [
    "both",
    "cgroup2 $/fs/unified cgroup2 rw 0 0\ncgroup $/fs/cpu cgroup rw,cpu,cpuacct 0 0",
    "3:cpu,cpuacct:/docker/abc\n0::/",
    "fs/cpu/docker/abc",
  ],
])("the cgroup of a process is found: %s", (_name, mounts, cgroup, expected) => {
  write("self/mounts", mounts.replaceAll("$", dir));
  write("7/cgroup", cgroup);
  write(`${expected}/cgroup.procs`, "7\n");
  expect(cgroupDirOf(7, dir)).toBe(join(dir, expected));
});

test.each([
  ["of the whole host", "0::/"],
  ["that is not mounted here", "5:pids:/docker/abc"],
  ["whose directory is not there", "0::/gone"],
])("there is none for a cgroup %s", (_name, cgroup) => {
  write("self/mounts", `cgroup2 ${dir}/fs cgroup2 rw 0 0`);
  write("fs/cgroup.procs", "1\n");
  write("7/cgroup", cgroup);
  expect(cgroupDirOf(7, dir)).toBeUndefined();
  expect(cgroupDirOf(8, dir)).toBeUndefined();
});

test("processes of cgroups below count, and a cgroup that is gone has none", () => {
  write("c/cgroup.procs", "1\n22\n");
  write("c/below/deeper/cgroup.procs", "333\n");
  write("c/below/cgroup.procs", "");
  expect(pidsInCgroup(join(dir, "c"))).toEqual([1, 22, 333]);
  expect(pidsInCgroup(join(dir, "absent"))).toEqual([]);
});
