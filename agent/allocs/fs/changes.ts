import { type FSWatcher, watch } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Clock } from "../../clock.js";
import type { Logger } from "../../log.js";
import { fdPath } from "./held.js";

export interface FollowTimes {
  /** Milliseconds without a change after which a follower looks anyway, and its client gets a heartbeat. Source: reference behaviour §9.3. */
  readonly heartbeatMs: number;
  /** The same where the kernel gives no notification: its watches are used up. */
  readonly unwatchedMs: number;
  /** Changes that come sooner after the last ones wait this long, so that a task that writes byte by byte is read in pieces. */
  readonly gatherMs: number;
}

/** Wakes one follower when what it reads has changed. A change between two waits is not lost. */
export class Changes {
  readonly #clock: Clock;
  readonly #times: FollowTimes;
  #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: (() => void) | undefined;
  #lastWoken = Number.NEGATIVE_INFINITY;

  /**
   * @param target a held file or directory.
   * @param isRelevant decides on an event; a name is that of an entry of the directory. Default: all are.
   */
  constructor(
    target: FileHandle,
    deps: { readonly clock: Clock; readonly log: Logger; readonly times: FollowTimes },
    isRelevant: (event: string, name: string | null) => boolean = () => true,
  ) {
    this.#clock = deps.clock;
    this.#times = deps.times;
    const unwatched = (error: unknown): void => {
      deps.log.warn({ err: error }, "files are not watched, they are looked at in intervals");
      this.#unwatch();
    };
    try {
      this.#watcher = watch(fdPath(target), { persistent: false }, (event, name) => {
        if (isRelevant(event, name)) this.notify();
      });
      this.#watcher.on("error", unwatched);
    } catch (error) {
      unwatched(error);
    }
  }

  notify(): void {
    this.#changed = true;
    this.#wake?.();
  }

  /** @returns false when nothing was told for the time of a heartbeat, or the signal was aborted. */
  async wait(signal: AbortSignal): Promise<boolean> {
    if (!this.#changed) await this.#sleep(this.#watcher ? this.#times.heartbeatMs : this.#times.unwatchedMs, signal);
    const changed = this.#changed;
    const tooSoon = this.#lastWoken + this.#times.gatherMs - this.#clock.monotonicMs();
    if (changed && tooSoon > 0) await this.#clock.sleep(tooSoon, signal);
    this.#changed = false;
    this.#lastWoken = this.#clock.monotonicMs();
    return changed && !signal.aborted;
  }

  close(): void {
    this.#unwatch();
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const awake = new AbortController();
    const wake = (): void => awake.abort();
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    if (!signal.aborted) await this.#clock.sleep(ms, awake.signal);
    signal.removeEventListener("abort", wake);
    this.#wake = undefined;
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
