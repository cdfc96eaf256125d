import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../agent/clock.js";
import type { StateWatch } from "../../agent/store/state-store.js";

/** Time that passes only when a test says so. */
export class ManualClock implements Clock {
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  #ms = 0;

  now(): bigint {
    return BigInt(this.#ms) * 1_000_000n;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        at: this.#ms + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake, { once: true });
    });
  }

  /** How many sleep. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Lets time pass, and what was waiting for it run. */
  async advance(ms: number): Promise<void> {
    await this.settle();
    this.#ms += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.at <= this.#ms) sleeper.wake();
    await this.settle();
  }

  /** Lets everything run that waits for no time. */
  async settle(): Promise<void> {
    await setImmediate();
  }
}

/** A watch that wakes when a test says so. */
export class ManualWatch implements StateWatch {
  readonly #waiting = new Set<{ readonly keys: readonly string[]; readonly wake: () => void }>();

  once(keys: readonly string[], wake: () => void): () => void {
    const entry = { keys, wake };
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }

  subscribe(): () => void {
    return () => {};
  }

  /** Subscriptions that are open. */
  get subscriptions(): number {
    return this.#waiting.size;
  }

  wake(key: string): void {
    for (const entry of [...this.#waiting]) {
      if (!entry.keys.includes(key)) continue;
      this.#waiting.delete(entry);
      entry.wake();
    }
  }
}
