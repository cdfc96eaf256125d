/** Go's way to write a length of time. Source: Go's time.Duration. */

const unitNs: Readonly<Record<string, number>> = { h: 3_600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, μs: 1e3, ns: 1 };
const whole = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+$/;
const part = /(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|μs|ns)/g;

/**
 * @returns nanoseconds.
 * @throws Error that says what was given.
 */
export function parseGoDuration(text: string): number {
  if (text === "0" || text === "+0" || text === "-0") return 0;
  if (!whole.test(text)) throw new Error(`invalid duration ${JSON.stringify(text)}, want one such as "30s" or "1m30s"`);
  let ns = 0;
  for (const [, count = "", unit = ""] of text.matchAll(part)) ns += Number(count) * (unitNs[unit] ?? 0);
  // Go counts in 64 bits: some 292 years.
  if (ns >= 2 ** 63) throw new Error(`invalid duration ${JSON.stringify(text)}, want one of less than 2562047h`);
  return Math.round(text.startsWith("-") ? -ns : ns);
}

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
