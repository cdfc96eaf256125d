import type { LogMessage } from "./log-message.js";

/** How much is compared: as many bytes as are never the same twice by accident in a log that says anything. */
const compared = 4096;

/**
 * Two accounts of one stream: `known`, from the engine's log, and `live`, which began at an unknown point of it. Output
 * that repeats itself matches in many places; then the likeliest is taken.
 *
 * @param likely how many bytes of `live` had come when `known` was read to its end.
 * @returns how many bytes at the beginning of `live`, those that are still to come included, are in `known`.
 */
export function overlap(known: Buffer, live: Buffer, likely: number): number {
  if (live.length === 0) return 0;
  const fits = (length: number): boolean => {
    if (length <= 0 || length > known.length) return false;
    const size = Math.min(length, live.length, compared);
    const from = known.length - length;
    return known.subarray(from, from + size).equals(live.subarray(0, size));
  };
  for (let away = 0; away <= Math.max(likely, known.length); away++) {
    if (fits(likely - away)) return likely - away;
    if (fits(likely + away)) return likely + away;
  }
  return 0;
}

/** The latest bytes of each stream, within a limit. */
export class RecentBytes {
  readonly #limit: number;
  readonly #chunks: Record<LogMessage["stream"], Buffer[]> = { 1: [], 2: [] };
  readonly #sizes: Record<LogMessage["stream"], number> = { 1: 0, 2: 0 };

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(stream: LogMessage["stream"], bytes: Buffer): void {
    const chunks = this.#chunks[stream];
    chunks.push(bytes);
    this.#sizes[stream] += bytes.length;
    while (this.#sizes[stream] - (chunks[0]?.length ?? 0) >= this.#limit) this.#sizes[stream] -= chunks.shift()?.length ?? 0;
  }

  of(stream: LogMessage["stream"]): Buffer {
    return Buffer.concat(this.#chunks[stream]);
  }
}
