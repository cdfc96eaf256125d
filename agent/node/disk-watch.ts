import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";

export interface DiskWatchDeps {
  /** The directory that is to take writes; made if it is not there. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Between two looks at a disk that is well. */
const wellMs = 15_000;
/** Between two looks at one that is not. */
const faultyMs = 1_000;
/** A look that takes longer is a disk that does not answer. */
const stallMs = 10_000;
/** A disk that has no room for this has none. */
const probeBytes = Buffer.alloc(64 * 1024);

/** Finds out by writing whether a directory takes writes. The state has a disk of its own, or may have. */
export class DiskWatch {
  readonly #deps: DiskWatchDeps;
  readonly #ended = new AbortController();
  #fault: string | null = null;
  #probing: Promise<void> | null = null;
  #hurry = new AbortController();

  constructor(deps: DiskWatchDeps) {
    this.#deps = deps;
  }

  /** Why the directory takes no writes; null when it does. */
  get fault(): string | null {
    return this.#fault;
  }

  start(): void {
    void this.#loop();
  }

  stop(): void {
    this.#ended.abort("over");
    this.#hurry.abort("over");
  }

  /** Somebody could not write there: looks at once. */
  suspect(): void {
    this.#hurry.abort("over");
  }

  /** Resolves when it is known how the disk is, or that it does not answer. */
  async look(): Promise<void> {
    const { clock } = this.#deps;
    // One that hangs holds a thread of four: there is never a second.
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = null;
    });
    const answered = new AbortController();
    const probe = this.#probing.finally(() => answered.abort("over"));
    await Promise.race([probe, clock.sleep(stallMs, answered.signal)]);
    if (!answered.signal.aborted) this.#tell(`the disk has not answered for ${stallMs / 1000} s`);
  }

  async #loop(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#ended.signal.aborted) {
      this.#hurry = new AbortController();
      await this.look();
      await clock.sleep(this.#fault === null ? wellMs : faultyMs, AbortSignal.any([this.#ended.signal, this.#hurry.signal]));
    }
  }

  async #probe(): Promise<void> {
    const { dir } = this.#deps;
    const path = join(dir, ".probe");
    try {
      await mkdir(dir, { recursive: true, mode: 0o711 });
      const file = await open(path, "w", 0o600);
      try {
        await file.writeFile(probeBytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rm(path);
      this.#tell(null);
    } catch (error) {
      await rm(path, { force: true }).catch(() => {});
      this.#tell((error as Error).message);
    }
  }

  #tell(fault: string | null): void {
    const { dir, log } = this.#deps;
    if (fault !== null && this.#fault === null) log.error({ dir, reason: fault }, "tasks' files can not be written; no new work is taken");
    if (fault === null && this.#fault !== null) log.info({ dir }, "tasks' files can be written again");
    this.#fault = fault === null ? null : `${dir}: ${fault}`;
  }
}
