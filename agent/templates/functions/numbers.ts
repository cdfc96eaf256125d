import { FunctionError } from "../go/errors.js";
import { type GoFunction, GoSequence, int64, typeName, type Value } from "../go/values.js";
import { define, defineVariadic } from "./define.js";

type Whole = (a: bigint, b: bigint) => bigint;
type Real = (a: number, b: number) => number;

/** The second argument comes first in the sum: `{{ 5 | subtract 2 }}` is 3. */
const arithmetic = (name: string, whole: Whole, real: Real | null): GoFunction =>
  define(["any", "any"], (b, a) => {
    const [x, y] = [number(name, a), number(name, b)];
    if (typeof x === "bigint" && typeof y === "bigint") return int64(whole(x, y));
    if (!real) throw unknownType(name, typeof x === "bigint" ? b : a);
    return real(Number(x), Number(y));
  });

/** The one of the two that is first in the order; it stays of its kind. */
const choice = (name: string, isFirst: (a: bigint | number, b: bigint | number) => boolean): GoFunction =>
  define(["any", "any"], (b, a) => {
    const [x, y] = [number(name, a), number(name, b)];
    return isFirst(x, y) ? x : y;
  });

function number(name: string, value: Value): bigint | number {
  if (typeof value === "bigint" || typeof value === "number") return value;
  throw unknownType(name, value);
}

const unknownType = (name: string, value: Value): FunctionError => new FunctionError(`${name}: unknown type ${typeName(value)}`);

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new FunctionError("runtime error: integer divide by zero");
  return value;
}

export const numberFunctions: ReadonlyMap<string, GoFunction> = new Map([
  [
    "add",
    arithmetic(
      "add",
      (a, b) => a + b,
      (a, b) => a + b,
    ),
  ],
  [
    "subtract",
    arithmetic(
      "subtract",
      (a, b) => a - b,
      (a, b) => a - b,
    ),
  ],
  [
    "multiply",
    arithmetic(
      "multiply",
      (a, b) => a * b,
      (a, b) => a * b,
    ),
  ],
  [
    "divide",
    arithmetic(
      "divide",
      (a, b) => a / nonZero(b),
      (a, b) => a / b,
    ),
  ],
  ["modulo", arithmetic("modulo", (a, b) => a % nonZero(b), null)],
  ["minimum", choice("minimum", (a, b) => a < b)],
  ["maximum", choice("maximum", (a, b) => a > b)],
  ["parseBool", define(["string"], parseBool)],
  ["parseFloat", define(["string"], parseReal)],
  ["parseInt", define(["string"], (text) => wholeNumber("parseInt", "ParseInt", text, -(2n ** 63n), 2n ** 63n - 1n))],
  ["parseUint", define(["string"], (text) => wholeNumber("parseUint", "ParseUint", text, 0n, 2n ** 64n - 1n))],
  ["loop", defineVariadic("any", loop)],
]);

function parseBool(text: string): boolean {
  if (text === "") return false;
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  throw new FunctionError(`parseBool: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function parseReal(text: string): number {
  if (text === "") return 0;
  const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (special) return special[2]?.toLowerCase() === "nan" ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new FunctionError(`parseFloat: strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (!Number.isFinite(value))
    throw new FunctionError(`parseFloat: strconv.ParseFloat: parsing ${JSON.stringify(text)}: value out of range`);
  return value;
}

function wholeNumber(name: string, goName: string, text: string, min: bigint, max: bigint): bigint {
  if (text === "") return 0n;
  const refuse = (why: string): FunctionError => new FunctionError(`${name}: strconv.${goName}: parsing ${JSON.stringify(text)}: ${why}`);
  if (!(min < 0n ? /^[+-]?\d+$/ : /^\d+$/).test(text)) throw refuse("invalid syntax");
  const value = BigInt(text.replace(/^\+/, ""));
  if (value < min || value > max) throw refuse("value out of range");
  return value;
}

function loop(args: readonly Value[]): Value {
  const bound = (value: Value): bigint => {
    if (typeof value === "bigint") return value;
    if (typeof value === "string") return wholeNumber("loop", "ParseInt", value, -(2n ** 63n), 2n ** 63n - 1n);
    throw new FunctionError(`loop: bad argument type: ${typeName(value)}`);
  };
  const [first, second, ...more] = args;
  if (first === undefined || more.length > 0) {
    throw new FunctionError(`loop: wrong number of arguments, expected 1 or 2, but got ${args.length}`);
  }
  return second === undefined ? new GoSequence(0n, bound(first)) : new GoSequence(bound(first), bound(second));
}
