import { spawn } from "node:child_process";
import { once } from "node:events";
import { cgroupMembers, descendants, processesUsage } from "./usage.js";

test("a process is measured by its own counters", () => {
  const { total, processes } = processesUsage([process.pid]);
  expect(total.userCpuNs).toBeGreaterThan(0);
  expect(total.memory.RSS).toBeGreaterThan(1024 * 1024);
  expect(Object.keys(processes ?? {})).toEqual([String(process.pid)]);
});

test("one that is gone counts for nothing", () => {
  expect(processesUsage([2 ** 22 + 1])).toEqual({ total: { userCpuNs: 0, systemCpuNs: 0, memory: { RSS: 0, Swap: 0 } }, processes: {} });
  expect(cgroupMembers("/nowhere/cgroup.procs")).toEqual([]);
});

test("children and their children belong to a process", async () => {
  const child = spawn("/bin/sh", ["-c", "sleep 1000 & echo $!; wait"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const found = descendants(process.pid);
  expect(found).toEqual(expect.arrayContaining([process.pid, child.pid, Number(line)]));
  process.kill(Number(line));
  await once(child, "exit");
});
