import { parse, stringify } from "lossless-json";

/** Text that is no JSON. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
}

/** Deeper than any job, and still shallow enough for code that calls itself for every level. */
const maxDepth = 200;

/** Only a run of digits or an exponent this long can make a number that a double does not hold. */
const longNumber = /\d{16}|(?:^|[[:,])\s*-?[\d.]+[eE]\+?\d{3}/;

/**
 * Parses JSON without losing a digit: whole numbers beyond 2^53 become bigints.
 *
 * @throws JsonSyntaxError
 */
export function parseJson(text: string): unknown {
  checkDepth(text);
  try {
    return longNumber.test(text) ? parse(text, null, lossless) : JSON.parse(text);
  } catch (error) {
    throw new JsonSyntaxError((error as Error).message, { cause: error });
  }
}

/** JSON with bigints as digits; undefined members are left out. */
export function encodeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    // A bigint somewhere: JSON.stringify knows none, and is ten times as fast where there is none.
    return stringify(value) ?? "null";
  }
}

/** Of two members of one name the last counts, as in JSON.parse and in Go. */
const lossless = { parseNumber: number, onDuplicateKey: ({ newValue }: { readonly newValue: unknown }): unknown => newValue };

/** What is nested without end would be read, and then break whoever writes it. */
function checkDepth(text: string): void {
  if (text.length <= maxDepth) return;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at);
    else if (char === "]" || char === "}") depth--;
    else if ((char === "[" || char === "{") && ++depth > maxDepth) {
      throw new JsonSyntaxError(`nested too deeply at position ${at}: want at most ${maxDepth} levels`);
    }
  }
}

/** The place of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let escapes = 0;
    while (text[at - 1 - escapes] === "\\") escapes++;
    if (escapes % 2 === 0) return at;
  }
}

function number(text: string): number | bigint {
  const value = Number(text);
  if (!Number.isFinite(value) && !/^-?\d+$/.test(text)) throw new SyntaxError(`a number beyond what a double holds: ${text.slice(0, 40)}`);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(value) ? BigInt(text) : value;
}

/** Compact JSON set out over lines with four spaces, without touching a digit. Source: reference behaviour §1.6. */
export function prettyJson(compact: string): string {
  const out: string[] = [];
  let depth = 0;
  let last = "";
  for (const [token] of compact.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]|[^[\]{},:"\s]+/g)) {
    const ends = token === "}" || token === "]";
    const isFirst = last === "{" || last === "[";
    if (ends) depth--;
    if (ends ? !isFirst : isFirst || last === ",") out.push("\n", "    ".repeat(depth));
    out.push(token === ":" ? ": " : token);
    if (token === "{" || token === "[") depth++;
    last = token;
  }
  return `${out.join("")}\n`;
}
