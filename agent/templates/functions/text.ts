import { FunctionError } from "../go/errors.js";
import { bytesOf, type GoFunction, GoMap, textOf, type Value } from "../go/values.js";
import { define, needText, strings } from "./define.js";
import { regexMatch, regexReplaceAll } from "./regex.js";

/** Cutting, joining and changing text. */
export const textFunctions: ReadonlyMap<string, GoFunction> = new Map([
  ["join", define(["string", "strings"], (separator, list) => list.items.join(separator))],
  ["split", define(["string", "string"], (separator, text) => strings(split(separator, trimSpace(text))))],
  ["splitToMap", define(["string", "string", "string"], splitToMap)],
  ["trim", define(["string", "string"], (set, text) => trim(set, text))],
  ["trimPrefix", define(["string", "string"], (prefix, text) => (text.startsWith(prefix) ? text.slice(prefix.length) : text))],
  [
    "trimSuffix",
    define(["string", "string"], (suffix, text) => (text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text)),
  ],
  ["trimSpace", define(["string"], trimSpace)],
  ["replaceAll", define(["string", "string", "string"], replaceAll)],
  ["regexMatch", define(["string", "string"], regexMatch)],
  ["regexReplaceAll", define(["string", "string", "string"], regexReplaceAll)],
  ["toLower", define(["string"], (text) => mapped("toLower", text, (char) => char.toLowerCase()))],
  ["toUpper", define(["string"], (text) => mapped("toUpper", text, (char) => char.toUpperCase()))],
  ["toTitle", define(["string"], toTitle)],
  ["indent", define(["int", "string"], indent)],
]);

function split(separator: string, text: string): readonly string[] {
  if (text === "") return [];
  return separator === "" ? [...textOf(text)].map(bytesOf) : text.split(separator);
}

function splitToMap(between: string, inside: string, text: string): Value {
  const pairs = split(between, trimSpace(text)).flatMap((item) => {
    const at = item.indexOf(inside);
    return at < 0 ? [] : [[item.slice(0, at), item.slice(at + inside.length)] as const];
  });
  return new GoMap(new Map(pairs), "string");
}

/** White space as Unicode has it. */
function trimSpace(bytes: string): string {
  const start = /^(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)+/;
  const end = /(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)+$/;
  return bytes.replace(start, "").replace(end, "");
}

function trim(set: string, bytes: string): string {
  const cut = new Set(needText("trim", set));
  const chars = [...needText("trim", bytes)];
  let [from, to] = [0, chars.length];
  while (from < to && cut.has(chars[from] ?? "")) from++;
  while (to > from && cut.has(chars[to - 1] ?? "")) to--;
  return bytesOf(chars.slice(from, to).join(""));
}

function replaceAll(what: string, by: string, text: string): string {
  if (what !== "") return text.replaceAll(what, () => by);
  // Nothing is found before each character and at the end.
  return [...textOf(text)].map((char) => by + bytesOf(char)).join("") + by;
}

/** Character by character, as Go does it: one that would become several stays. */
function mapped(name: string, bytes: string, change: (char: string) => string): string {
  const chars = [...needText(name, bytes)].map((char) => {
    const changed = change(char);
    return [...changed].length === 1 ? changed : char;
  });
  return bytesOf(chars.join(""));
}

/** The first letter of each word; an apostrophe, a dot or an underscore within one does not end it. */
function toTitle(bytes: string): string {
  const word = /[\p{L}\p{N}\p{M}_]+(?:['’.:·][\p{L}\p{M}_]+)*/gu;
  return bytesOf(
    needText("toTitle", bytes).replace(word, (whole) =>
      whole.replace(/^([\p{N}_]*)(\p{L})/u, (_all, lead: string, first: string) => lead + upper(first)),
    ),
  );
}

const upper = (char: string): string => {
  const changed = char.toUpperCase();
  return [...changed].length === 1 ? changed : char;
};

function indent(spaces: bigint, text: string): string {
  if (spaces < 0n) throw new FunctionError("indent value must be a positive integer");
  if (spaces > 10_000n) throw new FunctionError(`indent: got ${spaces}, want at most 10000`);
  const prefix = " ".repeat(Number(spaces));
  return text
    .split("\n")
    .map((line) => (line === "" ? line : prefix + line))
    .join("\n");
}
