import { describe } from "./invalid-field.js";

/** Go's way to write a length of time. Source: Go's time.Duration. */

const unitNs = new Map([
  ["h", 3_600_000_000_000n],
  ["m", 60_000_000_000n],
  ["s", 1_000_000_000n],
  ["ms", 1_000_000n],
  ["us", 1_000n],
  ["µs", 1_000n],
  ["μs", 1_000n],
  ["ns", 1n],
]);
const whole = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+$/;
const part = /(\d*)\.?(\d*)(h|ms|m|s|us|µs|μs|ns)/g;

/** Longer than any that fits 64 bits. */
const maxLength = 128;
const maxNs = 2n ** 63n - 1n;

/**
 * @returns nanoseconds; like Go's, cut off behind the point.
 * @throws Error that says what was given.
 */
export function parseGoDuration(text: string): number {
  if (text === "0" || text === "+0" || text === "-0") return 0;
  if (text.length > maxLength || !whole.test(text)) throw invalid(text, 'one such as "30s" or "1m30s"');
  let ns = 0n;
  for (const [, count = "", fraction = "", name = ""] of text.matchAll(part)) {
    const unit = unitNs.get(name) ?? 0n;
    ns += BigInt(count) * unit + (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length);
  }
  // Go counts in 64 bits: some 292 years.
  if (ns > maxNs) throw invalid(text, "one of less than 2562047h");
  return Number(text.startsWith("-") ? -ns : ns);
}

const invalid = (text: string, want: string): Error => new Error(`invalid duration ${describe(text)}, want ${want}`);

/** "1m0s", "5s", "200ms", "1.145090089s", "0s". */
export function formatGoDuration(duration: number | bigint): string {
  const ns = BigInt(duration);
  if (ns === 0n) return "0s";
  if (ns < 0n) return `-${formatGoDuration(-ns)}`;
  if (ns < 1_000n) return `${ns}ns`;
  if (ns < 1_000_000n) return `${decimal(ns, 3)}µs`;
  if (ns < 1_000_000_000n) return `${decimal(ns, 6)}ms`;
  const minutes = ns / 60_000_000_000n;
  const seconds = `${decimal(ns % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return seconds;
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** @param places how many digits are behind the point. */
function decimal(value: bigint, places: number): string {
  const digits = value.toString().padStart(places + 1, "0");
  const fraction = digits.slice(-places).replace(/0+$/, "");
  return fraction === "" ? digits.slice(0, -places) : `${digits.slice(0, -places)}.${fraction}`;
}
