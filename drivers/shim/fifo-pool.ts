import { execFile, execFileSync } from "node:child_process";
import { constants, openSync, renameSync } from "node:fs";

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

export const openReader = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
