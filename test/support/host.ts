import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** A process as /proc shows it. */
export interface HostProcess {
  readonly pid: number;
  readonly command: string;
}

const numeric = /^\d+$/;

/** What a read of /proc or cgroupfs gives, or the fallback when its subject has gone meanwhile. */
function attempt<T>(read: () => T, fallback: T): T {
  try {
    return read();
  } catch {
    return fallback;
  }
}

const pids = (): readonly number[] =>
  readdirSync("/proc")
    .filter((name) => numeric.test(name))
    .map(Number);

const commandOf = (pid: number): string =>
  attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"), "")
    .replaceAll("\0", " ")
    .trim();

/** A zombie has ended; only its parent has not looked yet. */
export const isAlive = (pid: number): boolean => {
  const state = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"), "").split(") ")[1]?.[0];
  return state !== undefined && state !== "Z";
};

/** All processes that have something to do with a directory: by working directory, command line or environment. */
export function processesAbout(dir: string): readonly HostProcess[] {
  return pids()
    .filter((pid) => pid !== process.pid && isAlive(pid))
    .filter(
      (pid) =>
        attempt(() => readlinkSync(`/proc/${pid}/cwd`), "").startsWith(dir) ||
        commandOf(pid).includes(dir) ||
        attempt(() => readFileSync(`/proc/${pid}/environ`, "latin1"), "").includes(dir),
    )
    .map((pid) => ({ pid, command: commandOf(pid) }));
}

/** What the open file descriptors of a process are, sorted by number. */
export function openFiles(pid: number | "self"): readonly { readonly fd: number; readonly target: string }[] {
  const dir = `/proc/${pid}/fd`;
  return attempt(() => readdirSync(dir), [])
    .map(Number)
    .sort((a, b) => a - b)
    .map((fd) => ({ fd, target: attempt(() => readlinkSync(join(dir, String(fd))), "") }))
    .filter(({ target }) => target !== "");
}

/** Bytes of memory that a process has in use (VmRSS). */
export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

/** How many bytes a process has written since its start. */
export const writtenBytes = (pid: number): number => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);

export const childrenOf = (parent: number): readonly HostProcess[] =>
  pids()
    .filter(
      (pid) =>
        isAlive(pid) &&
        attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"), "")
          .split(") ")[1]
          ?.split(" ")[1] === String(parent),
    )
    .map((pid) => ({ pid, command: commandOf(pid) }));

export const mountsBelow = (dir: string): readonly string[] =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(dir));

/** All cgroups of this name in every hierarchy, each before those inside it. */
export const cgroupsNamed = (name: string): readonly string[] => find("/sys/fs/cgroup", name, 6);

/** The cgroups inside one, each before those inside it. */
export function cgroupsIn(dir: string): readonly string[] {
  return subdirectories(dir).flatMap((child) => [child, ...cgroupsIn(child)]);
}

function find(dir: string, name: string, depth: number): readonly string[] {
  if (depth === 0) return [];
  return subdirectories(dir).flatMap((child) => (child.endsWith(`/${name}`) ? [child] : find(child, name, depth - 1)));
}

const subdirectories = (dir: string): readonly string[] =>
  attempt(() => readdirSync(dir, { withFileTypes: true }), [])
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(dir, entry.name));
