import { RE2JS } from "re2js";
import { FilterError } from "./filter-lexer.js";
import { type Comparison, type Expression, parseFilter, type Selector } from "./filter-parser.js";

export { FilterError };

/** What one evaluation carries along. */
interface Scope {
  /** Names that `any` and `all` give to elements. */
  readonly names: Readonly<Record<string, unknown>>;
  /** How many elements `any` and `all` may still look at: nested in each other they multiply. */
  readonly elements: { left: number };
}

/** A pattern is matched against at most this much of a value. */
const maxMatchedLength = 4_096;
const maxElements = 10_000;

/**
 * Compiles a filter of go-bexpr's language over the objects of an API.
 *
 * @throws FilterError for an expression that can not be read; the compiled function throws it for a selector that fits nothing.
 */
export function compileFilter(expression: string): (subject: object) => boolean {
  const test = compile(parseFilter(expression));
  return (subject) => test(subject, { names: {}, elements: { left: maxElements } });
}

type Test = (subject: object, scope: Scope) => boolean;

function compile(expression: Expression): Test {
  switch (expression.kind) {
    case "and":
    case "or": {
      const [left, right] = [compile(expression.left), compile(expression.right)];
      return expression.kind === "and"
        ? (subject, scope) => left(subject, scope) && right(subject, scope)
        : (subject, scope) => left(subject, scope) || right(subject, scope);
    }
    case "not": {
      const of = compile(expression.of);
      return (subject, scope) => !of(subject, scope);
    }
    case "match": {
      const test = comparison(expression.comparison, expression.value);
      return (subject, scope) => test(select(subject, expression.selector, scope));
    }
    case "any":
    case "all":
      return quantifier(expression.kind, expression.selector, expression.names, compile(expression.of));
  }
}

function quantifier(kind: "any" | "all", selector: Selector, [first = "", second]: readonly string[], of: Test): Test {
  return (subject, scope) => {
    const value = select(subject, selector, scope);
    const test = ([key, element]: readonly [unknown, unknown]): boolean => {
      if (--scope.elements.left < 0) throw new FilterError(`failed to read result page: any, all: want at most ${maxElements} elements`);
      // One name is the element of a list and the key of a map, two are key and element.
      const own = second === undefined ? { [first]: Array.isArray(value) ? element : key } : { [first]: key, [second]: element };
      return of(subject, { ...scope, names: { ...scope.names, ...own } });
    };
    const entries = Array.isArray(value)
      ? value.map((element: unknown, i) => [i, element] as const)
      : Object.entries((value ?? {}) as object);
    return kind === "any" ? entries.some(test) : entries.every(test);
  };
}

/** @throws FilterError in the reference's words when an object has no such member. */
function select(subject: object, selector: Selector, { names }: Scope): unknown {
  const [head = ""] = selector;
  const isNamed = Object.hasOwn(names, head);
  let value: unknown = isNamed ? names[head] : subject;
  for (const [at, part] of selector.entries()) {
    if (at === 0 && isNamed) continue;
    // A map without the key, or nothing at all, is an absent value and no mistake.
    if (value === null || value === undefined) return undefined;
    if (typeof value !== "object") throw unknownMember(selector, at, part);
    if (Object.hasOwn(value, part)) value = (value as Record<string, unknown>)[part];
    else if (at === 0) throw unknownMember(selector, at, part);
    else return undefined;
  }
  return value;
}

const unknownMember = (selector: Selector, at: number, part: string): FilterError =>
  new FilterError(
    `failed to read result page: error finding value in datum: /${selector.join("/")} at part ${at}: couldn't find key: struct field with name ${JSON.stringify(part)}`,
  );

function comparison(kind: Comparison, wanted: string): (value: unknown) => boolean {
  switch (kind) {
    case "==":
      return (value) => equals(value, wanted);
    case "!=":
      return (value) => !equals(value, wanted);
    case "<":
      return ordered(wanted, (order) => order < 0);
    case "<=":
      return ordered(wanted, (order) => order <= 0);
    case ">":
      return ordered(wanted, (order) => order > 0);
    case ">=":
      return ordered(wanted, (order) => order >= 0);
    case "in":
    case "contains":
      return (value) => contains(value, wanted);
    case "matches": {
      const pattern = regularExpression(wanted);
      return (value) => typeof value === "string" && pattern.matcher(value.slice(0, maxMatchedLength)).find();
    }
    case "empty":
      return isEmpty;
  }
}

function equals(value: unknown, wanted: string): boolean {
  if (value === null || value === undefined) return wanted === "";
  if (typeof value === "number" || typeof value === "bigint") return orderOf(value, wanted) === 0;
  if (typeof value === "boolean") return truth.get(wanted) === value;
  return value === wanted;
}

const truth = new Map([
  ...["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false] as const),
]);

function ordered(wanted: string, holds: (order: number) => boolean): (value: unknown) => boolean {
  return (value) => {
    if (typeof value === "string") return holds(value < wanted ? -1 : Number(value > wanted));
    if (typeof value !== "number" && typeof value !== "bigint") return false;
    const order = orderOf(value, wanted);
    return order !== undefined && holds(order);
  };
}

/** Below, at or above 0; undefined for a text that is no number. A bigint keeps every digit of a time. */
function orderOf(value: number | bigint, wanted: string): number | undefined {
  if (!/^-?\d+(\.\d+)?$/.test(wanted)) return undefined;
  const bound = wanted.includes(".") ? Number(wanted) : BigInt(wanted);
  return value < bound ? -1 : Number(value > bound);
}

function contains(value: unknown, wanted: string): boolean {
  if (typeof value === "string") return value.includes(wanted);
  if (Array.isArray(value)) return value.some((element: unknown) => equals(element, wanted));
  return typeof value === "object" && value !== null && Object.hasOwn(value, wanted);
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === "string" || Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Go's own engine: Node's backtracks, and one pattern of a caller's could hold the agent for minutes. */
function regularExpression(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new FilterError(
      `failed to create result paginator: failed to read filter expression: matches: got ${JSON.stringify(pattern)}: ${(error as Error).message}`,
    );
  }
}
