import type { Clock } from "../../agent/clock.js";
import { RetryLater } from "../../agent/errors.js";

export interface AttemptOptions {
  /** Tokens that do not exist, from one address within a window. 0 is no limit. */
  readonly maxFailures: number;
  readonly windowMs: number;
}

const MAX_ADDRESSES = 10_000;
const MAX_KNOWN = 10_000;

/**
 * Slows down whoever tries tokens. An address that has tried too many is answered with 429 until its window is over;
 * whoever had got in from there before still does, or one program could lock out all others of the host.
 */
export class AttemptLimit {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #options: AttemptOptions;
  readonly #failures = new Map<string, { count: number; readonly until: number }>();
  readonly #known = new Set<string>();

  constructor(clock: Pick<Clock, "monotonicMs">, options: AttemptOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** How many addresses are kept. */
  get size(): number {
    return this.#failures.size;
  }

  /**
   * Notes that a token was tried.
   *
   * @param accessor whose token it is; undefined when it is nobody's.
   * @throws RetryLater when too many were wrong.
   */
  tried(address: string, accessor: string | undefined): void {
    const key = `${address} ${accessor}`;
    const now = this.#clock.monotonicMs();
    const entry = this.#failures.get(address);
    const counts = entry !== undefined && entry.until > now;
    if (counts && this.#options.maxFailures > 0 && entry.count >= this.#options.maxFailures) {
      if (accessor !== undefined && this.#known.has(key)) return;
      const seconds = Math.max(1, Math.ceil((entry.until - now) / 1000));
      throw new RetryLater(`too many requests with a token that does not exist: try again in ${seconds} s`, seconds);
    }
    if (accessor !== undefined) keep(this.#known, key, MAX_KNOWN);
    else if (counts) entry.count++;
    else {
      this.#failures.delete(address);
      this.#failures.set(address, { count: 1, until: now + this.#options.windowMs });
      const [oldest] = this.#failures.keys();
      if (this.#failures.size > MAX_ADDRESSES && oldest !== undefined) this.#failures.delete(oldest);
    }
  }
}

function keep(set: Set<string>, key: string, max: number): void {
  if (set.has(key)) return;
  set.add(key);
  const [oldest] = set;
  if (set.size > max && oldest !== undefined) set.delete(oldest);
}
