import { execFile, execFileSync } from "node:child_process";
import { closeSync, constants, fchownSync, openSync, renameSync, unlinkSync } from "node:fs";
import type { RunUser } from "./protocol.js";

/** Node can not make a FIFO and a mkfifo(1) each would cost more than a start may take: so they are made by the dozen. */
const batch = 64;
const refillBelow = 24;

/**
 * FIFOs and not pipes: a task may open its /dev/stdout again, which fails on the socket pair that Node calls a pipe; and
 * after the shim's death its successor finds a FIFO by its path.
 */
export class FifoPool {
  readonly #dir: string;
  #free: string[] = [];
  #made = 0;
  #refilling = false;

  constructor(dir: string) {
    this.#dir = dir;
    this.#makeNow();
  }

  /** Moves a fresh FIFO to `path`. */
  place(path: string): void {
    if (this.#free.length === 0) this.#makeNow();
    renameSync(this.#free.pop() as string, path);
    if (this.#free.length < refillBelow) this.#refill();
  }

  /** Opens a FIFO for output that needs no path: for a session, which does not outlive the shim. */
  anonymous(user: RunUser | null): { readonly ours: number; readonly theirs: number } {
    if (this.#free.length === 0) this.#makeNow();
    const path = this.#free.pop() as string;
    try {
      return openOutput(path, user);
    } finally {
      unlinkSync(path);
      if (this.#free.length < refillBelow) this.#refill();
    }
  }

  #names(): string[] {
    return Array.from({ length: batch }, () => `${this.#dir}/${process.pid}-${this.#made++}`);
  }

  #makeNow(): void {
    const names = this.#names();
    execFileSync("/usr/bin/mkfifo", ["-m", "600", "--", ...names]);
    this.#free.push(...names);
  }

  #refill(): void {
    if (this.#refilling) return;
    this.#refilling = true;
    const names = this.#names();
    execFile("/usr/bin/mkfifo", ["-m", "600", "--", ...names], (error) => {
      this.#refilling = false;
      if (!error) this.#free.push(...names);
    });
  }
}

/**
 * `ours` reads without blocking. `theirs` is open both ways, so that there is always a reader and the shim's death is no
 * SIGPIPE to the task.
 */
export function openOutput(path: string, user: RunUser | null): { ours: number; theirs: number } {
  const ours = openReader(path);
  try {
    const theirs = openSync(path, constants.O_RDWR);
    if (user) fchownSync(theirs, user.uid, user.gid);
    return { ours, theirs };
  } catch (error) {
    closeSync(ours);
    throw error;
  }
}

export const openReader = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
