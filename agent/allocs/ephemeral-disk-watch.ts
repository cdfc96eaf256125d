import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Allocation } from "../model/allocation.js";
import { diskExceeded } from "../model/task-events.js";
import type { TaskEvent } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";
import { allocPath } from "./alloc-dir.js";
import { type DiskUsage, diskUsage } from "./disk-usage.js";

export interface EphemeralDiskWatchDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly dataDir: string;
  /** The allocations that run. */
  readonly running: () => readonly Allocation[];
  /** Tells all tasks of an allocation that run. */
  readonly emit: (allocId: string, event: (at: UnixNano) => TaskEvent) => void;
  /** Milliseconds from one round to the next; 0 never looks. */
  readonly intervalMs: number;
  readonly measure?: (path: string, signal: AbortSignal) => Promise<DiskUsage>;
}

const maxEntries = 100_000;
const bytesPerMiB = 1024 * 1024;
/** Of the time that one measurement takes, so much is left to others before the next. */
const restFactor = 19;

/**
 * Says of allocations that their directories have outgrown their ephemeral disk. As with the reference that is told and
 * not enforced: an event of the tasks and a line in the log, once until it fits again.
 */
export class EphemeralDiskWatch {
  readonly #deps: EphemeralDiskWatchDeps;
  readonly #stopped = new AbortController();
  readonly #told = new Set<string>();
  #looking: Promise<void> = Promise.resolve();

  constructor(deps: EphemeralDiskWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    if (this.#deps.intervalMs > 0) this.#looking = this.#lookNowAndThen();
  }

  async stop(): Promise<void> {
    this.#stopped.abort("over");
    await this.#looking;
  }

  async #lookNowAndThen(): Promise<void> {
    const { clock, intervalMs, running, log } = this.#deps;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal);
      const all = running();
      const ids = new Set(all.map(({ ID }) => ID));
      for (const id of this.#told) if (!ids.has(id)) this.#told.delete(id);
      for (const alloc of all) {
        if (signal.aborted) return;
        const begun = clock.monotonicMs();
        await this.#look(alloc).catch((error: unknown) => log.debug({ err: error, allocId: alloc.ID }, "its disk could not be measured"));
        await clock.sleep((clock.monotonicMs() - begun) * restFactor, signal);
      }
    }
  }

  async #look(alloc: Allocation): Promise<void> {
    const { log, dataDir, emit, measure = (path, signal) => diskUsage(path, maxEntries, signal) } = this.#deps;
    const { bytes } = await measure(allocPath(dataDir, alloc.ID), this.#stopped.signal);
    const limit = alloc.AllocatedResources.Shared.DiskMB * bytesPerMiB;
    if (bytes <= limit) {
      this.#told.delete(alloc.ID);
    } else if (!this.#told.has(alloc.ID) && !this.#stopped.signal.aborted) {
      this.#told.add(alloc.ID);
      log.warn({ allocId: alloc.ID, bytes, limit }, "an allocation has outgrown its ephemeral disk");
      emit(alloc.ID, (at) => diskExceeded(at, limit, bytes));
    }
  }
}
