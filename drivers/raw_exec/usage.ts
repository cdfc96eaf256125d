import { readFileSync } from "node:fs";
import type { ResourceSample, TaskUsage } from "../driver.js";
import { allPids, readStat } from "../shim/proc.js";

/** USER_HZ: what /proc counts CPU time in. It is 100 on every architecture that Node runs on. */
const nsPerTick = 1e9 / 100;
const bytesPerKiB = 1024;

/** @param file a cgroup.procs file. */
export function cgroupMembers(file: string): number[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** A process and all that descend from it. */
export function descendants(root: number): number[] {
  const parents = allPids().map((pid) => ({ pid, parent: readStat(pid)?.ppid }));
  const found = [root];
  for (const known of found) for (const { pid, parent } of parents) if (parent === known) found.push(pid);
  return found;
}

/** What is measured is what the reference measures. Source: reference behaviour §11.3. */
export function processesUsage(pids: readonly number[]): TaskUsage {
  const processes: Record<string, ResourceSample> = {};
  for (const pid of pids) {
    const sample = processUsage(pid);
    if (sample) processes[pid] = sample;
  }
  const sum = (of: (sample: ResourceSample) => number): number => Object.values(processes).reduce((total, sample) => total + of(sample), 0);
  const memory = { RSS: sum((sample) => sample.memory.RSS ?? 0), Swap: sum((sample) => sample.memory.Swap ?? 0) };
  return { total: { userCpuNs: sum((sample) => sample.userCpuNs), systemCpuNs: sum((sample) => sample.systemCpuNs), memory }, processes };
}

/** @returns undefined for a process that is gone. */
function processUsage(pid: number): ResourceSample | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
    return {
      userCpuNs: Number(fields[11]) * nsPerTick,
      systemCpuNs: Number(fields[12]) * nsPerTick,
      memory: { RSS: kib("VmRSS") * bytesPerKiB, Swap: kib("VmSwap") * bytesPerKiB },
    };
  } catch {
    return undefined;
  }
}
