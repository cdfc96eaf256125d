import type { UnixNano } from "./units.js";

const nsPerSecond = 1_000_000_000n;

/** Go's RFC3339Nano in UTC: nine digits at most, without trailing zeros. */
export function formatRfc3339(ns: UnixNano): string {
  const fraction = ((ns % nsPerSecond) + nsPerSecond) % nsPerSecond;
  const seconds = new Date(Number((ns - fraction) / 1_000_000n)).toISOString().slice(0, 19);
  if (fraction === 0n) return `${seconds}Z`;
  return `${seconds}.${fraction.toString().padStart(9, "0").replace(/0+$/, "")}Z`;
}
