import type { Clock } from "../clock.js";

/** Keeps the results of some work for a time, the latest used ones up to a number. */
export class TtlCache<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly until: number }>();

  /**
   * @param ttlMs how long an entry counts.
   * @param max entries.
   */
  constructor(
    private readonly clock: Pick<Clock, "monotonicMs">,
    private readonly ttlMs: number,
    private readonly max: number,
  ) {}

  get(key: string, make: () => T): T {
    const now = this.clock.monotonicMs();
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > now) return known.value;
    const value = make();
    this.#entries.delete(key);
    this.#entries.set(key, { value, until: now + this.ttlMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.max && oldest !== undefined) this.#entries.delete(oldest);
    return value;
  }

  clear(): void {
    this.#entries.clear();
  }
}
