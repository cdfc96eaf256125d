import { AllocdError } from "../agent/errors.js";
import { parseGoDuration } from "../agent/model/go-duration.js";
import { describe } from "../agent/model/invalid-field.js";
import { MILLISECOND } from "../agent/model/units.js";

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** The cap of `wait`, and its default. Source: reference behaviour §1.7. */
export const MAX_WAIT_MS = 300_000;

/** The query string of one request, read by type. Every mistake is a 400 that names the parameter. */
export class Query {
  readonly #values = new Map<string, string>();
  readonly #topics: string[] = [];

  /** @param search what follows the question mark. @throws AllocdError when a parameter is repeated. */
  constructor(search: string) {
    for (const [name, value] of new URLSearchParams(search)) {
      if (name === "topic") {
        this.#topics.push(value);
        continue;
      }
      // Two parsers of one request may pick different ones of a repeated parameter, so none is picked.
      if (this.#values.has(name)) throw new AllocdError("bad-query", `${describe(name)}: given more than once, want it once`);
      this.#values.set(name, value);
    }
  }

  /** Present, with or without a value. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Every `topic`: the one parameter that Nomad takes more than once. */
  get topics(): readonly string[] {
    return this.#topics;
  }

  /** Undefined when absent or empty: Nomad does not tell them apart. */
  text(name: string): string | undefined {
    return this.#values.get(name) || undefined;
  }

  /** A boolean in any spelling of Go's ParseBool. */
  bool(name: string, fallback: boolean): boolean {
    const value = this.text(name);
    if (value === undefined) return fallback;
    if (TRUE.has(value)) return true;
    if (FALSE.has(value)) return false;
    throw new AllocdError(
      "bad-query",
      `Failed to parse value of "${name}" (${value}) as a bool: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }

  /** Only the exact word. Source: reference behaviour §1.6. */
  get reverse(): boolean {
    return this.text("reverse") === "true";
  }

  /** Source: reference behaviour §1.6. */
  get pretty(): boolean {
    return this.has("pretty") && this.text("pretty") !== "0";
  }

  /** `*` is all of them. */
  get namespace(): string {
    return this.text("namespace") ?? "default";
  }

  /** Items of a page; 0 is no limit. */
  get perPage(): number {
    const value = this.text("per_page");
    if (value === undefined) return 0;
    const count = wholeNumber(value);
    if (count === undefined || count > 2_147_483_647) {
      throw new AllocdError("bad-query", `Expect a number for \`per_page\` query string parameter: got ${describe(value)}, want 0 or more`);
    }
    return count;
  }

  /** The index that a blocking query waits to be passed; 0 does not block. */
  get minIndex(): number {
    const value = this.text("index");
    if (value === undefined) return 0;
    const index = wholeNumber(value);
    if (index === undefined) throw new AllocdError("bad-query", `Invalid index: got ${describe(value)}, want a whole number of 0 or more`);
    return index;
  }

  /** How long a blocking query waits, in milliseconds. Source: reference behaviour §1.7. */
  get waitMs(): number {
    const value = this.text("wait");
    if (value === undefined) return MAX_WAIT_MS;
    const ms = durationMs(value);
    if (ms === undefined) throw new AllocdError("bad-query", `Invalid wait time: got ${describe(value)}, want a duration such as 30s`);
    return ms <= 0 ? MAX_WAIT_MS : Math.min(ms, MAX_WAIT_MS);
  }

  /** Checks the parameters that every endpoint takes. One host has one region and no stale reads, but a typo is still told. */
  checkCommon(region: string): void {
    const stale = this.text("stale");
    if (stale !== undefined && !TRUE.has(stale) && !FALSE.has(stale)) {
      throw new AllocdError("bad-query", `Expect \`true\` or \`false\` for \`stale\` query string parameter: got ${describe(stale)}`);
    }
    const given = this.text("region");
    if (given !== undefined && given !== region)
      throw new AllocdError("bad-query", `No path to region: got ${describe(given)}, want ${describe(region)}`);
  }

  /** The same for all requests that ask for the same data, whatever they wait for. */
  get cacheKey(): string {
    return JSON.stringify([...this.#values].filter(([name]) => !WAITING.has(name)).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

const WAITING = new Set(["index", "wait", "stale", "region"]);

function wholeNumber(text: string): number | undefined {
  if (!/^\+?\d{1,20}$/.test(text)) return undefined;
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}

function durationMs(text: string): number | undefined {
  try {
    return parseGoDuration(text) / MILLISECOND;
  } catch {
    return undefined;
  }
}
