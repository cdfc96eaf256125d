import type { Clock } from "../agent/clock.js";
import { AllocdError } from "../agent/errors.js";
import type { StateWatch } from "../agent/store/state-store.js";

/** A read that waits for its data to change. */
export interface BlockedQuery {
  /** What wakes it, as StateWatch names it. */
  readonly keys: readonly string[];
  /** Lists may answer a little later, so that one answer covers a burst of changes. */
  readonly coalesce: boolean;
  /** It ends when the data's index is above this one. */
  readonly minIndex: number;
  readonly waitMs: number;
  /** The index of the data as it is now. */
  index(): number;
  /** Aborted when the client went. */
  readonly gone: AbortSignal;
  /** Who asks, by address. */
  readonly client: string;
}

export interface BlockingOptions {
  readonly maxBlockedQueries: number;
  /** Of one address. 0 is no limit of its own. */
  readonly maxBlockedQueriesPerClient: number;
  readonly coalesceMs: number;
  /** 0 to 1, for the jitter that keeps pollers apart. */
  readonly random?: () => number;
}

/**
 * An index this far ahead was never given out by this state, but by one that is no more: its poller would wait for what
 * comes much later. Up to it a caller may wait for what is to come, as with the reference.
 */
const strangeLead = 1_000;

/** Nomad's blocking queries, woken by notification. Source: reference behaviour §1.7. */
export class BlockingQueries {
  readonly #watch: StateWatch;
  readonly #clock: Clock;
  readonly #options: BlockingOptions;
  readonly #latest: () => number;
  readonly #waiting = new Set<AbortController>();
  readonly #perClient = new Map<string, number>();
  #window: Promise<void> | undefined;
  #closed = false;

  /** @param deps.latest the highest index that the state has given out. */
  constructor(deps: { watch: StateWatch; clock: Clock; options: BlockingOptions; latest: () => number }) {
    this.#latest = deps.latest;
    this.#watch = deps.watch;
    this.#clock = deps.clock;
    this.#options = deps.options;
  }

  /** How many wait at the moment. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves when the data is newer than `minIndex`, the wait is over, the client went or the server closes: whoever
   * waited then reads what there is.
   *
   * @throws AllocdError 429 when too many wait already.
   */
  async until(query: BlockedQuery): Promise<void> {
    if (query.minIndex <= 0 || this.#closed || query.index() > query.minIndex) return;
    if (query.minIndex > this.#latest() + strangeLead) return;
    const limit = this.#options.maxBlockedQueries;
    if (this.#waiting.size >= limit) {
      throw new AllocdError(
        "too-many-requests",
        `blocking queries: ${limit} wait already, which is the limit; ask again later or without index`,
      );
    }
    const own = this.#perClient.get(query.client) ?? 0;
    const ownLimit = this.#options.maxBlockedQueriesPerClient;
    if (ownLimit > 0 && own >= ownLimit)
      throw new AllocdError("too-many-requests", `blocking queries: ${ownLimit} of your address wait already, which is the limit`);
    this.#perClient.set(query.client, own + 1);
    const over = new AbortController();
    const end = (): void => over.abort("over");
    this.#waiting.add(over);
    query.gone.addEventListener("abort", end, { once: true });
    const jitter = ((this.#options.random ?? Math.random)() * query.waitMs) / 16;
    void this.#clock.sleep(query.waitMs + jitter, over.signal).then(end);
    try {
      while (!over.signal.aborted && !query.gone.aborted && query.index() <= query.minIndex) {
        await this.#change(query.keys, over.signal);
        if (query.coalesce && !over.signal.aborted) await this.#burst();
      }
    } finally {
      over.abort("over");
      query.gone.removeEventListener("abort", end);
      this.#waiting.delete(over);
      const left = (this.#perClient.get(query.client) ?? 1) - 1;
      if (left > 0) this.#perClient.set(query.client, left);
      else this.#perClient.delete(query.client);
    }
  }

  /** Lets everybody who waits go, and nobody wait any more. */
  close(): void {
    this.#closed = true;
    for (const over of this.#waiting) over.abort("over");
  }

  #change(keys: readonly string[], over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        stop();
        over.removeEventListener("abort", done);
        resolve();
      };
      const stop = this.#watch.once(keys, done);
      over.addEventListener("abort", done, { once: true });
    });
  }

  /** The end of the current window, which all lists that wake in it share. */
  #burst(): Promise<void> {
    this.#window ??= this.#clock.sleep(this.#options.coalesceMs).then(() => {
      this.#window = undefined;
    });
    return this.#window;
  }
}
