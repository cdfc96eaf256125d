import { FunctionError } from "./errors.js";
import { compareText, GoStruct, typeName, type Value } from "./values.js";

const incompatible = (): FunctionError => new FunctionError("incompatible types for comparison");

/** Whether the first equals any of the others. @throws FunctionError for values that Go does not compare. */
export function equalsAny(value: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new FunctionError("missing argument for comparison");
  return others.some((other) => equals(value, other));
}

function equals(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b;
  if (isBasic(a) && isBasic(b)) {
    if (typeof a !== typeof b) throw incompatible();
    return a === b;
  }
  if (isBasic(a) || isBasic(b)) throw incompatible();
  if (a instanceof GoStruct && b instanceof GoStruct && a.type === b.type) return a === b;
  throw new FunctionError(`non-comparable type ${typeName(a)}`);
}

/** @throws FunctionError for values that have no order. */
export function isLess(a: Value, b: Value): boolean {
  for (const value of [a, b]) if (!isBasic(value)) throw new FunctionError("invalid type for comparison");
  if (typeof a === "bigint" && typeof b === "bigint") return a < b;
  if (typeof a === "number" && typeof b === "number") return a < b;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b) < 0;
  if (typeof a === "boolean" && typeof b === "boolean") throw new FunctionError("invalid type for comparison");
  throw incompatible();
}

export const isLessOrEqual = (a: Value, b: Value): boolean => isLess(a, b) || equals(a, b);

const isBasic = (value: Value): value is boolean | bigint | number | string =>
  ["boolean", "bigint", "number", "string"].includes(typeof value);
