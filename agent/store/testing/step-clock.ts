import type { Clock } from "../../clock.js";

/** A clock that moves by a nanosecond with every look, and whose sleepers wake when a test says so. */
export class StepClock implements Clock {
  #now: bigint;
  readonly #sleepers = new Set<() => void>();
  /** How long each sleep was meant to be. */
  readonly sleeps: number[] = [];

  constructor(start = 1_795_447_296_731_073_867n) {
    this.#now = start;
  }

  now(): bigint {
    return ++this.#now;
  }

  monotonicMs(): number {
    return Number(this.#now) / 1e6;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(wake);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      this.#sleepers.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  wake(): void {
    for (const wake of [...this.#sleepers]) wake();
  }
}
