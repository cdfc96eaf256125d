import { HclError } from "./expression.js";

/** What an expression comes to. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };
export type Members = { readonly [key: string]: Value };

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
export const isMembers = (value: Value): value is Members => typeof value === "object" && value !== null && !Array.isArray(value);

/** @throws HclError */
export function textOf(value: Value | undefined, of: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new HclError(`${of}: want a text, got ${value === undefined ? "nothing" : JSON.stringify(value)}`);
}

/** @throws HclError */
export function numberOf(value: Value | undefined, of: string): number {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw new HclError(`${of}: want a number, got ${value === undefined ? "nothing" : JSON.stringify(value)}`);
}

function listOf(value: Value | undefined, of: string): readonly Value[] {
  if (value !== undefined && isList(value)) return value;
  throw new HclError(`${of}: want a list, got ${value === undefined ? "nothing" : JSON.stringify(value)}`);
}

function membersOf(value: Value | undefined, of: string): Members {
  if (value !== undefined && isMembers(value)) return value;
  throw new HclError(`${of}: want an object, got ${value === undefined ? "nothing" : JSON.stringify(value)}`);
}

const same = (a: Value, b: Value): boolean => JSON.stringify(a) === JSON.stringify(b);
const unique = (list: readonly Value[]): readonly Value[] => list.filter((item, i) => list.findIndex((other) => same(item, other)) === i);
const isEmpty = (value: Value): boolean => value === null || value === "";

type Call = (args: readonly Value[], name: string) => Value;

/** The functions that job specifications use most. A function that is not here is refused by its name. */
const functions = new Map<string, Call>([
  ["abs", ([x], name) => Math.abs(numberOf(x, name))],
  ["ceil", ([x], name) => Math.ceil(numberOf(x, name))],
  ["floor", ([x], name) => Math.floor(numberOf(x, name))],
  ["max", (args, name) => Math.max(...args.map((x) => numberOf(x, name)))],
  ["min", (args, name) => Math.min(...args.map((x) => numberOf(x, name)))],
  ["upper", ([x], name) => textOf(x, name).toUpperCase()],
  ["lower", ([x], name) => textOf(x, name).toLowerCase()],
  ["trimspace", ([x], name) => textOf(x, name).trim()],
  ["chomp", ([x], name) => textOf(x, name).replace(/[\r\n]+$/, "")],
  ["trimprefix", ([x, p], name) => withoutPrefix(textOf(x, name), textOf(p, name))],
  [
    "trimsuffix",
    ([x, s], name) =>
      textOf(x, name).endsWith(textOf(s, name))
        ? textOf(x, name).slice(0, textOf(x, name).length - textOf(s, name).length)
        : textOf(x, name),
  ],
  ["replace", ([x, from, to], name) => textOf(x, name).replaceAll(textOf(from, name), () => textOf(to, name))],
  ["split", ([by, x], name) => textOf(x, name).split(textOf(by, name))],
  [
    "join",
    ([by, ...lists], name) =>
      lists
        .flatMap((list) => listOf(list, name))
        .map((x) => textOf(x, name))
        .join(textOf(by, name)),
  ],
  ["substr", ([x, at, count], name) => substring(textOf(x, name), numberOf(at, name), numberOf(count, name))],
  ["format", ([spec, ...args], name) => format(textOf(spec, name), args, name)],
  ["strlen", ([x], name) => [...textOf(x, name)].length],
  [
    "length",
    ([x], name) =>
      typeof x === "string" ? [...x].length : x !== undefined && isMembers(x) ? Object.keys(x).length : listOf(x, name).length,
  ],
  ["concat", (args, name) => args.flatMap((list) => listOf(list, name))],
  ["contains", ([list, x], name) => listOf(list, name).some((item) => same(item, x ?? null))],
  ["distinct", ([list], name) => unique(listOf(list, name))],
  ["toset", ([list], name) => unique(listOf(list, name))],
  ["tolist", ([list], name) => listOf(list, name)],
  ["compact", ([list], name) => listOf(list, name).filter((item) => !isEmpty(item))],
  ["reverse", ([list], name) => [...listOf(list, name)].reverse()],
  ["element", ([list, i], name) => element(listOf(list, name), numberOf(i, name), name)],
  ["keys", ([map], name) => Object.keys(membersOf(map, name)).sort()],
  [
    "values",
    ([map], name) =>
      Object.entries(membersOf(map, name))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, value]) => value),
  ],
  ["lookup", ([map, key, fallback], name) => lookup(membersOf(map, name), textOf(key, name), fallback, name)],
  ["merge", (args, name) => Object.fromEntries(args.flatMap((map) => Object.entries(membersOf(map, name))))],
  ["coalesce", (args, name) => firstOf(args, name)],
  ["tostring", ([x], name) => textOf(x, name)],
  ["tonumber", ([x], name) => numberOf(x, name)],
  ["jsonencode", ([x]) => JSON.stringify(x ?? null)],
]);

/** @throws HclError for a function that is not known, or arguments that it does not take. */
export function call(name: string, args: readonly Value[]): Value {
  const of = functions.get(name);
  if (!of) throw new HclError(`function "${name}" is not supported`);
  return of(args, name);
}

const withoutPrefix = (text: string, prefix: string): string => (text.startsWith(prefix) ? text.slice(prefix.length) : text);

function substring(text: string, at: number, count: number): string {
  const letters = [...text];
  const from = at < 0 ? letters.length + at : at;
  return letters.slice(from, count < 0 ? undefined : from + count).join("");
}

function element(list: readonly Value[], index: number, name: string): Value {
  const found = list.length > 0 ? list[((index % list.length) + list.length) % list.length] : undefined;
  if (found === undefined) throw new HclError(`${name}: the list is empty`);
  return found;
}

function lookup(map: Members, key: string, fallback: Value | undefined, name: string): Value {
  const found = Object.hasOwn(map, key) ? map[key] : fallback;
  if (found === undefined) throw new HclError(`${name}: there is no "${key}"`);
  return found;
}

function firstOf(args: readonly Value[], name: string): Value {
  const found = args.find((value) => !isEmpty(value));
  if (found === undefined) throw new HclError(`${name}: all arguments are empty`);
  return found;
}

/** The verbs of Go's Printf that make sense here. */
function format(spec: string, args: readonly Value[], name: string): string {
  const left = [...args];
  return spec.replace(/%(0?)(\d*)([a-zA-Z%])/g, (all, zero: string, width: string, verb: string) => {
    if (verb === "%") return "%";
    const value = left.shift();
    const text =
      verb === "d"
        ? String(Math.trunc(numberOf(value, name)))
        : verb === "q"
          ? JSON.stringify(textOf(value, name))
          : "sv".includes(verb)
            ? textOf(value, name)
            : undefined;
    if (text === undefined) throw new HclError(`${name}: ${all} is not supported`);
    return text.padStart(Number(width), zero === "0" ? "0" : " ");
  });
}
