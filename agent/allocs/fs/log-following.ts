import type { FileHandle } from "node:fs/promises";
import type { StateWatch } from "../../store/state-store.js";
import type { Changes } from "./changes.js";
import type { LogFiles } from "./log-files.js";
import type { Following } from "./log-source.js";

export type ChangesOf = (target: FileHandle, isRelevant?: (event: string, name: string | null) => boolean) => Changes;

/** Watches a log's directory and the allocation that writes there. */
export class LogFollowing implements Following {
  readonly changes: Changes;
  readonly #deps: { readonly watch: StateWatch; readonly key: string; readonly isOver: () => boolean };
  #listChanged = false;
  #unsubscribe: (() => void) | undefined;
  #lastChanged: string | undefined;

  /** @param deps.key the StateWatch key on which `isOver` depends. */
  constructor(files: LogFiles, changesOf: ChangesOf, deps: { watch: StateWatch; key: string; isOver: () => boolean }) {
    this.#deps = deps;
    this.changes = changesOf(files.directory, (event, name) => {
      if (name !== null && !files.owns(name)) return false;
      // A write to another file than the last time says as much as a new name: the kernel drops events when there are too many.
      if (event !== "change" || name !== this.#lastChanged) this.#listChanged = true;
      this.#lastChanged = name ?? undefined;
      return true;
    });
  }

  takeListChanged(): boolean {
    const changed = this.#listChanged;
    this.#listChanged = false;
    return changed;
  }

  isOver(): boolean {
    this.#unsubscribe ??= this.#deps.watch.once([this.#deps.key], () => {
      this.#unsubscribe = undefined;
      this.changes.notify();
    });
    return this.#deps.isOver();
  }

  close(): void {
    this.#unsubscribe?.();
    this.changes.close();
  }
}
