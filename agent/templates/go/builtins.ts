import { equalsAny, isLess, isLessOrEqual } from "./compare.js";
import { FunctionError } from "./errors.js";
import { escapeHtml, escapeJs, escapeQuery } from "./escape.js";
import { noValue, printAll, printLine } from "./print.js";
import { printf } from "./printf.js";
import { type GoFunction, GoList, GoMap, isTrue, type Parameter, typeName, type Value } from "./values.js";

type Call = (...args: readonly Value[]) => Value;

const fixed = (parameters: readonly Parameter[], call: Call): GoFunction => ({ parameters, call: (args) => call(...args) });
const variadic = (parameters: readonly Parameter[], call: Call): GoFunction => ({
  parameters,
  variadic: "any",
  call: (args) => call(...args),
});

/** What every Go template has. `and` and `or` are the evaluator's, as they do not evaluate what they do not need. */
export const builtins: ReadonlyMap<string, GoFunction> = new Map([
  ["and", variadic(["any"], (first = null) => first)],
  ["or", variadic(["any"], (first = null) => first)],
  ["not", fixed(["any"], (value = null) => !isTrue(value))],
  ["eq", variadic(["any"], (value = null, ...others) => equalsAny(value, others))],
  ["ne", fixed(["any", "any"], (a = null, b = null) => !equalsAny(a, [b]))],
  ["lt", fixed(["any", "any"], (a = null, b = null) => isLess(a, b))],
  ["le", fixed(["any", "any"], (a = null, b = null) => isLessOrEqual(a, b))],
  ["gt", fixed(["any", "any"], (a = null, b = null) => !isLessOrEqual(a, b))],
  ["ge", fixed(["any", "any"], (a = null, b = null) => !isLess(a, b))],
  ["len", fixed(["any"], (value = null) => BigInt(lengthOf(value)))],
  ["index", variadic(["any"], (value = null, ...indexes) => indexes.reduce(element, value))],
  ["slice", variadic(["any"], (value = null, ...indexes) => slice(value, indexes))],
  ["print", variadic([], (...values) => printAll(values))],
  ["println", variadic([], (...values) => printLine(values))],
  ["printf", variadic(["string"], (format, ...values) => printf(format as string, values))],
  ["html", variadic([], (...values) => escapeHtml(joined(values)))],
  ["js", variadic([], (...values) => escapeJs(joined(values)))],
  ["urlquery", variadic([], (...values) => escapeQuery(joined(values)))],
]);

const joined = (values: readonly Value[]): string => printAll(values.map((value) => value ?? noValue));

function lengthOf(value: Value): number {
  if (typeof value === "string") return value.length;
  if (value instanceof GoList) return value.items.length;
  if (value instanceof GoMap) return value.entries.size;
  throw new FunctionError(value === null ? "len of nil pointer" : `len of type ${typeName(value)}`);
}

function element(value: Value, index: Value): Value {
  if (value === null) throw new FunctionError("index of untyped nil");
  if (value instanceof GoMap) {
    if (typeof index !== "string") throw new FunctionError(`value has type ${typeName(index)}; should be string`);
    return value.entries.get(index) ?? value.zero;
  }
  if (value instanceof GoList) return value.items[place(index, value.items.length - 1)] ?? null;
  // An element of a string is a byte.
  if (typeof value === "string") return BigInt(value.charCodeAt(place(index, value.length - 1)));
  throw new FunctionError(`can't index item of type ${typeName(value)}`);
}

function slice(value: Value, indexes: readonly Value[]): Value {
  if (value === null) throw new FunctionError("slice of untyped nil");
  if (typeof value !== "string" && !(value instanceof GoList)) throw new FunctionError(`can't slice item of type ${typeName(value)}`);
  if (indexes.length > (typeof value === "string" ? 2 : 3)) {
    throw new FunctionError(typeof value === "string" ? "cannot 3-index slice a string" : `too many slice indexes: ${indexes.length}`);
  }
  const length = lengthOf(value);
  const [from = 0, to = length, most = length] = indexes.map((index) => place(index, length));
  if (from > to) throw new FunctionError(`invalid slice index: ${from} > ${to}`);
  if (to > most) throw new FunctionError(`invalid slice index: ${to} > ${most}`);
  return typeof value === "string" ? value.slice(from, to) : new GoList(value.items.slice(from, to), value.elements);
}

function place(index: Value, last: number): number {
  if (typeof index !== "bigint") {
    throw new FunctionError(index === null ? "cannot index slice/array with nil" : `cannot index slice/array with type ${typeName(index)}`);
  }
  if (index < 0n || index > BigInt(last)) throw new FunctionError(`index out of range: ${index}`);
  return Number(index);
}
