import { readdirSync, readFileSync } from "node:fs";

/** A process, told apart from a later one of the same number: a bare pid is never signalled. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/<pid>/stat. */
  readonly startTime: string;
}

/** Changes with each boot of the host. */
export const readBootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

interface Stat {
  readonly state: string;
  readonly ppid: number;
  readonly pgid: number;
  readonly startTime: string;
}

export function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name is in parentheses and may hold spaces and parentheses itself.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", ppid: Number(fields[1]), pgid: Number(fields[2]), startTime: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat && stat.state !== "Z" && stat.state !== "X" ? { pid, startTime: stat.startTime } : undefined;
}

export const isAlive = (process: ProcessIdentity): boolean => identify(process.pid)?.startTime === process.startTime;

/** Sends a signal to that process and no other. @returns whether it was there. */
export function signalProcess(target: ProcessIdentity, signal: number): boolean {
  return isAlive(target) && kill(target.pid, signal);
}

/** kill(2) that takes a process that is gone as an answer. */
export function kill(pid: number, signal: number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

export const allPids = (): number[] => readdirSync("/proc").map(Number).filter(Number.isInteger);

export function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/**
 * Processes whose environment holds `marker` ("NAME=value"): what is left of a tree whose members went away by setsid,
 * on hosts without cgroups.
 */
export function pidsWithMarker(marker: string): number[] {
  const needle = Buffer.from(`${marker}\0`);
  return allPids().filter((pid) => {
    if (pid === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`).includes(needle);
    } catch {
      return false;
    }
  });
}
