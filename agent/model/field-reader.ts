import { InvalidField } from "./invalid-field.js";
import type { Duration } from "./units.js";

export type Input = Readonly<Record<string, unknown>>;

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/**
 * Reads the members of one object that a caller gave, each with its type, its default and its place in the whole: an error
 * names `Job.TaskGroups[0].Count`. Null is the same as absent. Members that nobody asks for are kept as they are.
 *
 * Names are matched exactly first and then in any case, as Go's JSON does. Source: reference behaviour §1.10.
 */
export class FieldReader {
  readonly #input: Input;
  readonly #names: ReadonlyMap<string, string>;
  readonly path: string;

  /** @throws InvalidField when the value is no object. */
  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new InvalidField(path, value, "an object");
    this.#input = value as Input;
    this.#names = new Map(Object.keys(value).map((name) => [name.toLowerCase(), name]));
    this.path = path;
  }

  at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  /** The member as it was given; undefined when it is absent or null. */
  raw(name: string): unknown {
    const key = Object.hasOwn(this.#input, name) ? name : this.#names.get(name.toLowerCase());
    return key === undefined ? undefined : (this.#input[key] ?? undefined);
  }

  /** The member of exactly this name, for what callers name themselves: tasks "a" and "A" are two. */
  own(name: string): unknown {
    return Object.hasOwn(this.#input, name) ? (this.#input[name] ?? undefined) : undefined;
  }

  /** All members that are none of `known`, in whatever case. */
  others(known: readonly string[]): Record<string, unknown> {
    const taken = new Set(known.map((name) => name.toLowerCase()));
    return Object.fromEntries(Object.entries(this.#input).filter(([name]) => !taken.has(name.toLowerCase()) && name !== "__proto__"));
  }

  /**
   * Members that are passed on: those of `defaults`, each of its default's type where that has one, and whatever else was
   * given that is none of `read`.
   */
  passed(defaults: Input, read: readonly string[]): Record<string, unknown> {
    const passed = this.others([...read, ...Object.keys(defaults)]);
    for (const [name, fallback] of Object.entries(defaults)) {
      if (typeof fallback === "string") passed[name] = this.text(name, fallback);
      else if (typeof fallback === "boolean") passed[name] = this.flag(name, fallback);
      else if (typeof fallback === "number") passed[name] = this.whole(name, fallback);
      else passed[name] = this.raw(name) ?? fallback;
    }
    return passed;
  }

  /** @throws InvalidField when one of the members is given, and no list of objects or no object. */
  shapes({ lists, objects }: { readonly lists: readonly string[]; readonly objects: readonly string[] }): void {
    for (const name of lists) this.list(name, (element, at) => new FieldReader(element, at));
    for (const name of objects) this.object(name, (value, at) => new FieldReader(value, at));
  }

  text(name: string, fallback = ""): string {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    if (typeof value !== "string") throw this.#invalid(name, value, "a string");
    if (value.includes("\0")) throw this.#invalid(name, value, "a string without NUL");
    return value;
  }

  /** A string that must not be empty. */
  needed(name: string): string {
    const value = this.text(name);
    if (value === "") throw this.#invalid(name, this.raw(name), "a string that is not empty");
    return value;
  }

  oneOf<const T extends string>(name: string, values: readonly T[], fallback: T): T {
    const value = this.text(name) || fallback;
    if (!(values as readonly string[]).includes(value)) throw this.#invalid(name, value, `one of ${values.filter(Boolean).join(", ")}`);
    return value as T;
  }

  flag(name: string, fallback = false): boolean {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    if (typeof value !== "boolean") throw this.#invalid(name, value, "true or false");
    return value;
  }

  whole(name: string, fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER }: Range = {}): number {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
      const isOpen = max === Number.MAX_SAFE_INTEGER && typeof value !== "bigint";
      const wanted = isOpen ? `a whole number of ${min} or more` : `a whole number from ${min} to ${max}`;
      throw this.#invalid(name, value, wanted);
    }
    return value;
  }

  /** Nanoseconds. */
  duration(name: string, fallback: Duration, min = 0): Duration {
    const value = this.raw(name) ?? fallback;
    if (!isInt64(value) || value < min)
      throw this.#invalid(name, value, min > 0 ? `a duration of ${min} ns or more` : "a duration, in whole nanoseconds of 0 or more");
    return value;
  }

  /** An index or a time, which may be beyond what a double holds. It has to be given. */
  stamp(name: string): number | bigint {
    const value = this.raw(name);
    if (!isInt64(value) || value < 0) throw this.#invalid(name, value, "a whole number of 0 or more");
    return value;
  }

  /** Strings by name. */
  texts(name: string): Readonly<Record<string, string>> | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    const reader = new FieldReader(value, this.at(name));
    for (const [key, text] of Object.entries(value as Input)) {
      if (typeof text !== "string") throw new InvalidField(`${reader.path}[${JSON.stringify(key)}]`, text, "a string");
      if (key === "" || key.includes("\0") || key.includes("=") || text.includes("\0"))
        throw new InvalidField(`${reader.path}[${JSON.stringify(key)}]`, text, "a name without '=' and no NUL");
    }
    // Nomad makes no difference between an empty map and none.
    return Object.keys(value as Input).length === 0 ? null : (value as Record<string, string>);
  }

  list<T>(name: string, read: (value: unknown, path: string) => T): readonly T[] | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (!Array.isArray(value)) throw this.#invalid(name, value, "a list");
    return value.map((element: unknown, i) => read(element, `${this.at(name)}[${i}]`));
  }

  object<T>(name: string, read: (value: unknown, path: string) => T): T | null {
    const value = this.raw(name);
    return value === undefined ? null : read(value, this.at(name));
  }

  invalid(name: string, want: string): InvalidField {
    return this.#invalid(name, this.raw(name), want);
  }

  #invalid(name: string, given: unknown, want: string): InvalidField {
    return new InvalidField(this.at(name), given, want);
  }
}

const maxInt64 = 2n ** 63n - 1n;

const isInt64 = (value: unknown): value is number | bigint =>
  (typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value))) && value <= maxInt64 && value >= -maxInt64;

export function readText(value: unknown, path: string): string {
  if (typeof value !== "string" || value.includes("\0")) throw new InvalidField(path, value, "a string");
  return value;
}

/** @throws InvalidField for the second of two elements of one name. */
export function noneTwice(elements: readonly { readonly [member: string]: unknown }[], member: string, path: string): void {
  const seen = new Set<unknown>();
  for (const [i, element] of elements.entries()) {
    if (seen.has(element[member])) throw new InvalidField(`${path}[${i}].${member}`, element[member], "a name that no other has");
    seen.add(element[member]);
  }
}
