import { describe } from "../../../agent/model/invalid-field.js";
import { nearest } from "../../../agent/model/nearest.js";
import { TaskConfigError } from "../../driver.js";

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads the members of a task's `Config`, or of a block in it. A job in JSON writes a block as an object or as a list of
 * them, and a value as itself or, when it came from a reference, as text. Errors name the member and what was given.
 */
export class ConfigReader {
  readonly #members: Members;
  /** In front of every name, with a dot: "auth." */
  readonly #path: string;

  /** @param keys all that there may be. @throws TaskConfigError for any other. */
  constructor(members: Members, keys: readonly string[], path = "") {
    const unknown = Object.keys(members).filter((key) => !keys.includes(key));
    if (unknown.length > 0) throw new TaskConfigError(unknown.map((key) => unknownKey(key, keys, path)).join("; "));
    this.#members = members;
    this.#path = path === "" ? "" : `${path}.`;
  }

  has(key: string): boolean {
    return this.#raw(key) !== undefined;
  }

  text(key: string): string {
    const value = this.#raw(key) ?? "";
    if (typeof value !== "string" || value.includes("\0")) throw this.refused(key, "a string");
    return value;
  }

  flag(key: string): boolean {
    const value = this.#raw(key) ?? false;
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    throw this.refused(key, "true or false");
  }

  whole(key: string, fallback: number, { min, max }: { readonly min: number; readonly max: number }): number {
    const value = this.#raw(key) ?? fallback;
    const number = typeof value === "string" && /^-?\d{1,16}$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < min || number > max)
      throw this.refused(key, `a whole number from ${min} to ${max}`);
    return number;
  }

  texts(key: string): readonly string[] {
    const value = this.#raw(key) ?? [];
    if (!Array.isArray(value)) throw this.refused(key, "a list of strings");
    return value.map((item: unknown, i) => scalar(item) ?? this.#refuse(`${key}[${i}]`, item, "a string"));
  }

  /** A map, or a list of maps that are taken as one. */
  map(key: string): ReadonlyMap<string, string> {
    const entries = this.#objects(key).flatMap((object) => Object.entries(object));
    return new Map(entries.map(([name, value]) => [name, scalar(value) ?? this.#refuse(`${key}[${describe(name)}]`, value, "a string")]));
  }

  /** The blocks of a name; none when it is absent. */
  blocks<T>(key: string, keys: readonly string[], read: (block: ConfigReader) => T): readonly T[] {
    const objects = this.#objects(key);
    return objects.map((object, i) => read(new ConfigReader(object, keys, `${this.#path}${key}${objects.length > 1 ? `[${i}]` : ""}`)));
  }

  /** The one block of a name. */
  block<T>(key: string, keys: readonly string[], read: (block: ConfigReader) => T): T | null {
    const found = this.blocks(key, keys, read);
    if (found.length > 1) throw this.refused(key, "one block");
    return found[0] ?? null;
  }

  refused(key: string, want: string): TaskConfigError {
    return new TaskConfigError(`${this.#path}${key}: got ${describe(this.#raw(key))}, want ${want}`);
  }

  #refuse(at: string, given: unknown, want: string): never {
    throw new TaskConfigError(`${this.#path}${at}: got ${describe(given)}, want ${want}`);
  }

  #objects(key: string): readonly Members[] {
    const value = this.#raw(key);
    if (value === undefined) return [];
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (!list.every(isObject)) throw this.refused(key, "a block, or a list of blocks");
    return list;
  }

  #raw(key: string): unknown {
    return Object.hasOwn(this.#members, key) ? (this.#members[key] ?? undefined) : undefined;
  }
}

const isObject = (value: unknown): value is Members => typeof value === "object" && value !== null && !Array.isArray(value);

function scalar(value: unknown): string | undefined {
  if (typeof value === "string") return value.includes("\0") ? undefined : value;
  return ["number", "bigint", "boolean"].includes(typeof value) ? String(value) : undefined;
}

/** Source of the text: reference behaviour §4.3. */
function unknownKey(key: string, keys: readonly string[], path: string): string {
  const near = nearest(key, keys);
  const hint = near === undefined ? ` Known are: ${keys.join(", ")}.` : ` Did you mean "${near}"?`;
  return `Invalid label: No argument or block type is named "${key}"${path === "" ? "" : ` in ${path}`}.${hint}`;
}
