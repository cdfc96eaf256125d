import { readFileSync } from "node:fs";
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
  /** Sends the signal to all that there are. @returns how many there were. */
  signal(signal: number): Promise<number>;
  /** @returns how many there are. */
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
    const all = this.#find();
    // Each is told apart from a later process of the same number until the moment of the signal.
    for (const one of all) signalProcess(one, signal);
    return all.length;
  }

  async count(): Promise<number> {
    return this.#find().length;
  }

  #find(): ProcessIdentity[] {
    const candidates = this.#cgroup === undefined ? allPids() : pidsInCgroup(this.#cgroup);
    const found = new Set(candidates.filter((pid) => environmentOf(pid)?.includes(this.#mark)));
    if (this.#leader && isAlive(this.#leader)) found.add(this.#leader.pid);
    // A command may have thrown its environment away: what it has started is known by its parent.
    const parents = new Map(candidates.map((pid) => [pid, readStat(pid)?.ppid ?? 0]));
    for (let before = -1; before !== found.size; ) {
      before = found.size;
      for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
    }
    return [...found].flatMap((pid) => identify(pid) ?? []);
  }
}

function environmentOf(pid: number): Buffer | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`);
  } catch {
    return undefined;
  }
}
