import { statSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { BackupOrder } from "./backup-worker.js";
import { Backups } from "./backups.js";

export interface BackupOptions {
  /** Milliseconds between two backups; 0 makes none. */
  readonly everyMs: number;
  /** How many are kept. */
  readonly keep: number;
}

export const DEFAULT_BACKUPS: BackupOptions = { everyMs: 3_600_000, keep: 3 };

export interface BackupScheduleDeps {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: BackupOptions;
  /** The compiled backup-worker.ts. */
  readonly workerUrl: URL;
  /** The index of the state as it is now: what has not changed is not copied again. */
  readonly index: () => number;
}

/** After a start there is other work to do. */
const firstAfterMs = 60_000;
/** A backup that failed is tried again after this long. */
const againMs = 300_000;

/** Copies the database now and then, each time in a thread of its own. */
export class BackupSchedule {
  readonly #deps: BackupScheduleDeps;
  readonly #backups: Backups;
  readonly #ended = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #latestIndex = 0;
  #failure: string | null = null;

  constructor(deps: BackupScheduleDeps) {
    this.#deps = deps;
    this.#backups = new Backups(deps.dir);
  }

  /** Why the latest backup failed; null when it did not. */
  get failure(): string | null {
    return this.#failure;
  }

  start(): void {
    if (this.#deps.options.everyMs > 0) void this.#loop();
  }

  /** Makes a copy now. Never rejects: a failure is told by `failure` and the log. */
  async run(): Promise<void> {
    this.#running = this.#running.then(() => this.#copy());
    await this.#running;
  }

  /** Resolves when no copy is being made any more. */
  async stop(): Promise<void> {
    this.#ended.abort("over");
    await this.#running;
  }

  async #loop(): Promise<void> {
    const { clock, options, index } = this.#deps;
    const signal = this.#ended.signal;
    await clock.sleep(Math.max(Math.min(firstAfterMs, options.everyMs), options.everyMs - this.#ageMs()), signal);
    while (!signal.aborted) {
      if (index() !== this.#latestIndex) await this.run();
      await clock.sleep(this.#failure === null ? options.everyMs : Math.min(againMs, options.everyMs), signal);
    }
  }

  async #copy(): Promise<void> {
    const { dir, log, options, index } = this.#deps;
    if (this.#ended.signal.aborted) return;
    const began = performance.now();
    const copied = index();
    const to = this.#backups.newPath(this.#now());
    try {
      this.#backups.make();
      this.#backups.prune(options.keep);
      await this.#inThread({ from: join(dir, "state.db"), to });
      this.#backups.prune(options.keep);
      this.#latestIndex = copied;
      this.#failure = null;
      log.info({ file: to, index: copied, ms: Math.round(performance.now() - began) }, "the state was backed up");
    } catch (error) {
      this.#failure = (error as Error).message;
      log.error({ err: error }, "the state could not be backed up; earlier backups are kept");
    }
  }

  #inThread(order: BackupOrder): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(this.#deps.workerUrl, { name: "allocd-backup", workerData: order });
      let outcome: Error | null = new Error("the thread of the backup has ended without a word");
      worker.on("message", (failure: string | null) => {
        outcome = failure === null ? null : new Error(failure);
      });
      worker.on("error", (error: Error) => {
        outcome = error;
      });
      worker.on("exit", () => (outcome ? reject(outcome) : resolve()));
    });
  }

  /** Milliseconds since the newest backup. */
  #ageMs(): number {
    const [newest] = this.#backups.list();
    const stat = newest === undefined ? undefined : statSync(newest, { throwIfNoEntry: false });
    return stat ? Math.max(0, this.#now() - stat.mtimeMs) : Number.POSITIVE_INFINITY;
  }

  #now(): number {
    return Number(this.#deps.clock.now() / 1_000_000n);
  }
}
