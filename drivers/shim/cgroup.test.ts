import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findHierarchy } from "./cgroup.js";

const spec = { path: "tasks.slice/a.t", memoryMax: 1024, memoryLow: 512, cpuShares: 100, override: null };

/** Only root is given cgroups. */
const rootTest = process.getuid?.() === 0 ? test : test.failing;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "allocd-cgroup-test-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A tree of plain files in the place of version 2 of the kernel's: what is written stays as it was written. */
function tree(controllers: string, handedDown: string): void {
  mkdirSync(join(root, "tasks.slice"));
  writeFileSync(join(root, "cgroup.controllers"), `${controllers}\n`);
  for (const dir of [".", "tasks.slice"]) writeFileSync(join(root, dir, "cgroup.subtree_control"), `${handedDown}\n`);
}
const read = (file: string): string => readFileSync(join(root, file), "utf8").trim();

describe("version 2", () => {
  rootTest("limits stand on the run's own cgroup, and every one above hands its controllers down", () => {
    tree("cpuset cpu io memory pids", "");
    const hierarchy = findHierarchy(root);
    expect(hierarchy.description).toBe("v2");
    hierarchy.create?.(spec);
    expect([read("tasks.slice/a.t/memory.max"), read("tasks.slice/a.t/memory.low"), read("tasks.slice/a.t/cpu.weight")]).toEqual([
      "1024",
      "512",
      "4",
    ]);
    // In plain files the last word written is what is left.
    expect(read("tasks.slice/cgroup.subtree_control")).toBe("+pids");
  });

  rootTest("that cpuset is handed down does not stand for cpu", () => {
    tree("cpuset cpu", "cpuset");
    findHierarchy(root).create?.(spec);
    expect(read("cgroup.subtree_control")).toBe("+cpu");
    expect(read("tasks.slice/cgroup.subtree_control")).toBe("+cpu");
  });

  rootTest("a controller that the kernel has not got is done without, and that is said", () => {
    tree("cpu pids", "cpu pids");
    const hierarchy = findHierarchy(root);
    expect(hierarchy.description).toBe("v2 without memory");
    hierarchy.create?.(spec);
    expect(read("tasks.slice/a.t/cpu.weight")).toBe("4");
    expect(() => read("tasks.slice/a.t/memory.max")).toThrow("ENOENT");
  });

  rootTest("a root that hands nothing down limits nothing", () => {
    tree("cpu memory pids", "");
    rmSync(join(root, "cgroup.subtree_control"));
    mkdirSync(join(root, "cgroup.subtree_control"));
    expect(findHierarchy(root).description).toBe("v2 without memory, cpu, pids");
  });
});
