/**
 * Whether two values of a job say the same: the order of members does not count, a member that is undefined counts as
 * missing, and a whole number is the same as a bigint as as a number.
 */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    // A number equals a bigint neither by `===` nor by Object.is.
    return isNumeric(a) && isNumeric(b) && a >= b && a <= b;
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  }
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((key) => sameJson(left[key], right[key]));
}

const isNumeric = (value: unknown): value is number | bigint => typeof value === "number" || typeof value === "bigint";
