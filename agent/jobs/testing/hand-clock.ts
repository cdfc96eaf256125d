import type { Clock } from "../../clock.js";

/** Time that passes only when a test says so, but for a nanosecond with every look. */
export class HandClock implements Clock {
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  #ms = 1_795_447_296_000;
  #looks = 0n;
  #wallOffset = 0;

  now(): bigint {
    return BigInt(this.#ms + this.#wallOffset) * 1_000_000n + ++this.#looks;
  }

  monotonicMs(): number {
    return this.#ms + Number(++this.#looks) / 1e6;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper = { until: this.#ms + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Sets the wall clock, which nobody who sleeps notices. */
  shiftWall(ms: number): void {
    this.#wallOffset += ms;
  }

  advance(ms: number): void {
    this.#ms += ms;
    for (const { until, wake } of [...this.#sleepers]) if (until <= this.#ms) wake();
  }
}
