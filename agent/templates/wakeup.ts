import type { Clock } from "../clock.js";

/** One waiter, and those who wake it. A wake that comes before the wait is not lost. */
export class Wakeup {
  readonly #clock: Clock;
  #isDue = false;
  #resolve: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#isDue = true;
    this.#resolve?.();
  }

  /**
   * @param ms at most so long; undefined: until it is woken.
   * @returns whether it was woken; false after the time, or when the signal is aborted.
   */
  async wait(ms: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (!this.#isDue && !signal.aborted) {
      const over = new AbortController();
      const ends = AbortSignal.any([over.signal, signal]);
      const woken = new Promise<void>((resolve) => {
        this.#resolve = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true, signal: over.signal });
      });
      await (ms === undefined ? woken : Promise.race([woken, this.#clock.sleep(ms, ends)]));
      over.abort();
      this.#resolve = null;
    }
    const isDue = this.#isDue && !signal.aborted;
    this.#isDue = false;
    return isDue;
  }
}
