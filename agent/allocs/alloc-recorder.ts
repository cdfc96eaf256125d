import { rename, rm, writeFile } from "node:fs/promises";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Change, StateStore } from "../store/state-store.js";
import { allocPath } from "./alloc-dir.js";
import { encodeStateFile } from "./alloc-record.js";

export interface AllocRecorderDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Absolute. */
  readonly dataDir: string;
}

/** What happens to an allocation within this time is written once. */
const delayMs = 100;
/** Files that are written at the same time. */
const atOnce = 4;

/**
 * Follows the store with a small file beside each allocation, so that a store that was restored from a backup finds the
 * tasks that run, and does not run those again that have ended. Nobody waits for these files, and they are not flushed:
 * the state itself is on disk.
 */
export class AllocRecorder {
  readonly #deps: AllocRecorderDeps;
  readonly #dirty = new Set<string>();
  readonly #ended = new AbortController();
  #unsubscribe = (): void => {};
  #writing: Promise<void> | null = null;
  #failed = false;

  constructor(deps: AllocRecorderDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#unsubscribe = this.#deps.store.watch.subscribe((changes) => {
      for (const change of changes) this.#note(change);
    });
  }

  /** Writes what is outstanding. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#ended.abort("over");
    await this.#writing;
  }

  #note(change: Change): void {
    switch (change.kind) {
      case "alloc-desired":
      case "alloc-observed":
        this.#dirty.add(change.id);
        break;
      case "task-handle":
        this.#dirty.add(change.allocId);
        break;
      case "alloc-delete":
        this.#dirty.delete(change.id);
        return;
      default:
        return;
    }
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    while (this.#dirty.size > 0) {
      await this.#deps.clock.sleep(delayMs, this.#ended.signal);
      const ids = [...this.#dirty];
      this.#dirty.clear();
      const next = ids.values();
      await Promise.all(Array.from({ length: Math.min(atOnce, ids.length) }, () => this.#writeEach(next)));
    }
    this.#writing = null;
  }

  async #writeEach(ids: Iterable<string>): Promise<void> {
    for (const id of ids) await this.#write(id);
  }

  async #write(id: string): Promise<void> {
    const { store, dataDir, log } = this.#deps;
    const alloc = store.alloc(id);
    // It has no directory yet: what was given is written with that, and tells all there is.
    if (!alloc?.TaskStates) return;
    const path = `${allocPath(dataDir, id)}.state.json`;
    try {
      await writeFile(`${path}.new`, encodeStateFile(store, alloc), { mode: 0o600 });
      if (store.alloc(id)) await rename(`${path}.new`, path);
      else await rm(`${path}.new`, { force: true });
      this.#failed = false;
    } catch (error) {
      // A full disk is told by others, and once is enough.
      if (!this.#failed) log.warn({ err: error, allocId: id }, "the record beside an allocation could not be written");
      this.#failed = true;
    }
  }
}
