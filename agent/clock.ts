import type { UnixNano } from "./model/units.js";

/** Time, injected so that tests can turn it. */
export interface Clock {
  /** Wall time in Unix nanoseconds; finer than a millisecond, never the same or earlier than the value before. */
  now(): UnixNano;
  /** Milliseconds since some fixed moment, untouched by changes of the wall clock. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. Timers do not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** How far the fine clock may drift from the wall clock before it is set again. */
const maxDriftMs = 5;
/** Node's timers fire at once for anything above 2^31-1 ms. */
const maxTimerMs = 2_147_483_647;

export class SystemClock implements Clock {
  #baseMs = Date.now();
  #baseMono = performance.now();
  #last = 0n;

  now(): UnixNano {
    const elapsed = performance.now() - this.#baseMono;
    const wall = Date.now();
    if (Math.abs(this.#baseMs + elapsed - wall) > maxDriftMs) {
      this.#baseMs = wall;
      this.#baseMono = performance.now();
      return this.#advance(BigInt(wall) * 1_000_000n);
    }
    return this.#advance(BigInt(this.#baseMs) * 1_000_000n + BigInt(Math.round(elapsed * 1e6)));
  }

  monotonicMs(): number {
    return performance.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const end = this.monotonicMs() + ms;
    for (let left = ms; left > 0 && !signal?.aborted; left = end - this.monotonicMs()) {
      await pause(Math.min(left, maxTimerMs), signal);
    }
  }

  #advance(ns: bigint): UnixNano {
    // A wall clock that was set back must not make an event older than the one before it, unless the step is a real one.
    if (ns <= this.#last && this.#last - ns < 1_000_000_000n) ns = this.#last + 1n;
    this.#last = ns;
    return ns;
  }
}

const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal?.addEventListener("abort", done, { once: true });
  });
