import { readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { allPids, identify, isAlive, type ProcessIdentity, readStat, signalProcess } from "../../shim/proc.js";
import type { Time } from "../time.js";
import { cgroupDirOf, pidsInCgroup } from "./container-pids.js";

/** How long a command has after HUP, and again after TERM. */
const graceMs = 1_000;
/** How often it is looked whether it has gone meanwhile. */
const lookMs = 20;
/** SIGKILL is repeated, since a process may fork while it is being looked for. */
const killRounds = 12;

const { SIGHUP, SIGTERM, SIGKILL } = constants.signals;

/** A way to find and signal the processes of a session. */
export interface ProcessHunt {
  /** Sends the signal to all that there are. @returns how many there were, and how many may be of them and can not be told yet. */
  signal(signal: number): Promise<number>;
  /** @returns how many there are, or may be. */
  count(): Promise<number>;
}

/**
 * Ends a command and all that it has started: HUP, then TERM, then KILL. The engine has no call for that, and lets a command
 * run on whose client is gone.
 *
 * @returns whether none is left.
 */
export async function endProcesses(hunt: ProcessHunt, time: Time): Promise<boolean> {
  for (const signal of [SIGHUP, SIGTERM]) {
    if ((await hunt.signal(signal)) === 0) return true;
    for (const end = time.monotonicMs() + graceMs; time.monotonicMs() < end; ) {
      await time.sleep(lookMs);
      if ((await hunt.count()) === 0) return true;
    }
  }
  for (let round = 0; round < killRounds; round++) {
    if ((await hunt.signal(SIGKILL)) === 0) return true;
    await time.sleep(5 << Math.min(round, 6));
  }
  return (await hunt.count()) === 0;
}

/**
 * The processes of a session as this host's kernel shows them: those of the container that carry the session's mark in
 * their environment, the command itself, and their descendants.
 */
export class HostHunt implements ProcessHunt {
  readonly #mark: Buffer;
  readonly #leader: ProcessIdentity | undefined;
  readonly #cgroup: string | undefined;

  private constructor(mark: Buffer, leader: ProcessIdentity | undefined, cgroup: string | undefined) {
    this.#mark = mark;
    this.#leader = leader;
    this.#cgroup = cgroup;
  }

  /**
   * @param mark `NAME=value`, unique for ever.
   * @param pid of the command, or of the container's first process, on the engine's host.
   * @returns undefined when that is another host, or its processes may not be looked at.
   */
  static of(mark: string, containerId: string, pid: number, which: "command" | "container"): HostHunt | undefined {
    const bytes = Buffer.from(`${mark}\0`);
    const process = identify(pid);
    const environment = environmentOf(pid);
    if (!process || !environment) return undefined;
    const dir = cgroupDirOf(pid);
    const cgroup = dir?.includes(containerId) ? dir : undefined;
    // The same number may be another process on this host.
    if (cgroup === undefined && !environment.includes(bytes)) return undefined;
    return new HostHunt(bytes, which === "command" ? process : undefined, cgroup);
  }

  async signal(signal: number): Promise<number> {
    const { found, between } = this.#find();
    // Each is told apart from a later process of the same number until the moment of the signal.
    for (const one of found) signalProcess(one, signal);
    return found.length + between;
  }

  async count(): Promise<number> {
    const { found, between } = this.#find();
    return found.length + between;
  }

  #find(): { readonly found: readonly ProcessIdentity[]; readonly between: number } {
    const candidates = this.#cgroup === undefined ? allPids() : pidsInCgroup(this.#cgroup);
    const environments = new Map(candidates.map((pid) => [pid, environmentOf(pid)]));
    const found = new Set(candidates.filter((pid) => environments.get(pid)?.includes(this.#mark)));
    const between = candidates.filter((pid) => environments.get(pid)?.length === 0 && isInExec(pid)).length;
    if (this.#leader && isAlive(this.#leader)) found.add(this.#leader.pid);
    // A command may have thrown its environment away: what it has started is known by its parent.
    const parents = new Map(candidates.map((pid) => [pid, readStat(pid)?.ppid ?? 0]));
    for (let before = -1; before !== found.size; ) {
      before = found.size;
      for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
    }
    return { found: [...found].flatMap((pid) => identify(pid) ?? []), between };
  }
}

function environmentOf(pid: number): Buffer | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`);
  } catch {
    return undefined;
  }
}

/** For a moment of its exec a process shows neither environment nor arguments, though it has a program, as kernel threads and zombies have not. */
function isInExec(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length === 0 && readlinkSync(`/proc/${pid}/exe`) !== "";
  } catch {
    return false;
  }
}
