/*
 * Values of Go templates, as far as templates of tasks meet them.
 *
 * A string is Go's: a row of bytes. It is kept as a JavaScript string of which every character is one byte, so that
 * lengths, slices and comparisons are Go's, and bytes that are no UTF-8 pass through a template unchanged.
 * Whole numbers are bigints, floating point numbers are numbers.
 */

export type Value = null | boolean | bigint | number | string | GoList | GoMap | GoStruct | GoSequence;

/** What a function accepts for an argument. */
export type Parameter = "any" | "string" | "int" | "list" | "strings" | "map";

/** A function or method that templates call. */
export interface GoFunction {
  readonly parameters: readonly Parameter[];
  /** Any number more of this kind. */
  readonly variadic?: Parameter;
  /** @throws FunctionError */
  call(args: readonly Value[]): Value;
}

export type Functions = ReadonlyMap<string, GoFunction>;

const noFunctions: Functions = new Map();

/** What a list or a map holds, as far as functions and printing tell them apart. */
export type Elements = "string" | "any" | "pointer";

export class GoList {
  constructor(
    readonly items: readonly Value[],
    readonly elements: Elements = "any",
    readonly methods: Functions = noFunctions,
  ) {}
}

export class GoMap {
  constructor(
    readonly entries: ReadonlyMap<string, Value>,
    readonly elements: Elements = "any",
    /** What templates may call on it. */
    readonly methods: Functions = noFunctions,
    /** What stands for a key that it has not. */
    readonly zero: Value = elements === "string" ? "" : null,
  ) {}

  /** In the order in which Go prints a map and ranges over it. */
  sorted(): readonly (readonly [key: string, value: Value])[] {
    return [...this.entries].sort(([a], [b]) => compareText(a, b));
  }
}

/** Something with named fields: a service, a variable's item. */
export class GoStruct {
  constructor(
    readonly type: string,
    readonly fields: ReadonlyMap<string, Value>,
    readonly methods: Functions = noFunctions,
    /** How it prints itself. */
    readonly text: string | null = null,
  ) {}
}

/** Whole numbers to range over; there is nothing else that can be done with them. */
export class GoSequence {
  constructor(
    readonly from: bigint,
    /** Not part of it. */
    readonly to: bigint,
  ) {}
}

export const bytesOf = (text: string): string => (isAscii(text) ? text : Buffer.from(text, "utf8").toString("latin1"));

/** The text that bytes are in UTF-8. What is none becomes U+FFFD, as where Go walks over a string. */
export const textOf = (bytes: string): string => (isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8"));

const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text);

/** Bytewise, as Go compares strings. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What a condition makes of it. */
export function isTrue(value: Value): boolean {
  if (value instanceof GoList) return value.items.length > 0;
  if (value instanceof GoMap) return value.entries.size > 0;
  return value instanceof GoStruct || value instanceof GoSequence ? true : Boolean(value);
}

/** The name of a value's type, for errors. */
export function typeName(value: Value): string {
  if (value === null) return "<nil>";
  if (value instanceof GoList) return value.elements === "string" ? "[]string" : "[]interface {}";
  if (value instanceof GoMap) return value.elements === "string" ? "map[string]string" : "map[string]interface {}";
  if (value instanceof GoStruct) return value.type;
  if (value instanceof GoSequence) return "<-chan int64";
  return { boolean: "bool", bigint: "int", number: "float64", string: "string" }[
    typeof value as "boolean" | "bigint" | "number" | "string"
  ];
}

/** Go's integers wrap around. */
export const int64 = (value: bigint): bigint => BigInt.asIntN(64, value);
