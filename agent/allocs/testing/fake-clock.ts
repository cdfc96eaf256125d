import type { Clock } from "../../clock.js";
import type { UnixNano } from "../../model/units.js";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

const epoch = 1_700_000_000_000_000_000n;

/** A clock that a test turns. Its wall time never repeats, as that of the real one. */
export class FakeClock implements Clock {
  #ms = 0;
  #ticks = 0n;
  readonly #sleepers = new Set<Sleeper>();

  now(): UnixNano {
    this.#ticks += 1n;
    return epoch + BigInt(Math.round(this.#ms * 1e6)) + this.#ticks;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  /** How many wait. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper = { at: this.#ms + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  /** Lets time pass, and everything happen that waits for a moment in it. */
  async advance(ms: number): Promise<void> {
    const end = this.#ms + ms;
    for (;;) {
      const next = [...this.#sleepers].filter((s) => s.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#ms = Math.max(this.#ms, next.at);
      next.wake();
      await settle();
    }
    this.#ms = end;
    await settle();
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}
