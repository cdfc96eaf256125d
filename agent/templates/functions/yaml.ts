import { isMap, isScalar, isSeq, type ParsedNode, parseDocument } from "yaml";
import { FunctionError } from "../go/errors.js";
import { formatG } from "../go/floats.js";
import { bytesOf, GoList, GoMap, GoStruct, textOf, typeName, type Value } from "../go/values.js";
import { needText } from "./define.js";

const maxAliases = 100;

/** As Go's yaml.v2 reads it, of YAML 1.1: `yes` is true. @throws FunctionError for tags, times and keys that are no strings. */
export function parseYaml(bytes: string): Value {
  const document = parseDocument(needText("parseYAML", bytes), { version: "1.1", schema: "yaml-1.1", intAsBigInt: true, merge: true });
  const [error] = document.errors;
  if (error) throw new FunctionError(`yaml: ${error.message.split("\n", 1)[0]}`);
  let plain: unknown;
  try {
    plain = document.toJS({ maxAliasCount: maxAliases, mapAsMap: true });
  } catch (cause) {
    throw new FunctionError(`yaml: ${(cause as Error).message}`, { cause });
  }
  refuseTags(document.contents);
  return toValue(plain);
}

function refuseTags(node: ParsedNode | null): void {
  if (node === null) return;
  if (node.tag !== undefined && !/^tag:yaml\.org,2002:(map|seq|str|int|float|bool|null|merge)$/.test(node.tag)) {
    throw new FunctionError(`parseYAML: the tag ${node.tag} is not supported`);
  }
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      refuseTags(key as ParsedNode | null);
      refuseTags(value as ParsedNode | null);
    }
  } else if (isSeq(node)) for (const item of node.items) refuseTags(item as ParsedNode);
  else if (isScalar(node) && node.value instanceof Date) throw new FunctionError("parseYAML: times are not supported; put them in quotes");
}

function toValue(plain: unknown): Value {
  if (typeof plain === "string") return bytesOf(plain);
  if (Array.isArray(plain)) return new GoList(plain.map(toValue));
  if (plain instanceof Map) {
    const entries = [...plain].map(([key, value]: [unknown, unknown]) => {
      if (typeof key !== "string") throw new FunctionError(`parseYAML: the key ${String(key)} is no string, which is not supported`);
      return [bytesOf(key), toValue(value)] as const;
    });
    return new GoMap(new Map(entries));
  }
  if (plain === undefined || plain === null) return null;
  if (typeof plain === "boolean" || typeof plain === "number" || typeof plain === "bigint") return plain;
  throw new FunctionError("parseYAML: only maps, lists, strings, numbers and booleans are supported");
}

/** Longer texts would be folded over lines. */
const maxScalar = 70;

/**
 * As Go's yaml.v2 writes it: block style, keys in order, strings quoted only where they would be something else.
 *
 * @throws FunctionError for strings that it would fold or escape in ways that are not reproduced here.
 */
export function encodeYaml(value: Value): string {
  return write(value, "").trim();
}

/** @returns from where the value begins on its line, with the line's end. */
function write(value: Value, indent: string): string {
  if (value instanceof GoList && value.items.length > 0)
    return value.items.map((item, i) => `${i === 0 ? "" : indent}- ${write(item, `${indent}  `)}`).join("");
  const members = membersOf(value);
  if (!members || members.length === 0) return `${scalar(value, indent)}\n`;
  return members
    .map(([key, item], i) => {
      const isBlock = (item instanceof GoList && item.items.length > 0) || (membersOf(item)?.length ?? 0) > 0;
      const lead = `${i === 0 ? "" : indent}${scalar(key, indent)}:`;
      if (!isBlock) return `${lead} ${write(item, `${indent}  `)}`;
      // Lists stand below their key, maps a level deeper.
      const inner = item instanceof GoList ? indent : `${indent}  `;
      return `${lead}\n${inner}${write(item, inner)}`;
    })
    .join("");
}

function membersOf(value: Value): readonly (readonly [string, Value])[] | undefined {
  if (value instanceof GoMap) return [...value.entries].sort(([a], [b]) => compareKeys(a, b));
  if (value instanceof GoStruct) return [...value.fields].map(([name, field]) => [name.toLowerCase(), field] as const);
  return undefined;
}

function scalar(value: Value, indent: string): string {
  if (value === null) return "null";
  if (typeof value === "string") return text(value, indent);
  if (typeof value === "number")
    return Number.isFinite(value) ? formatG(value) : Number.isNaN(value) ? ".nan" : value > 0 ? ".inf" : "-.inf";
  if (value instanceof GoList) return "[]";
  if (value instanceof GoMap || value instanceof GoStruct) return "{}";
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  throw new FunctionError(`toYAML: ${typeName(value)} is not supported`);
}

/** What YAML 1.1 would read as something else than a string. */
const ambiguous =
  /^(?:|~|null|Null|NULL|y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0o?[0-7_]+|[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\d{4}-\d{1,2}-\d{1,2}.*)$/;
const indicator = /^[-?:](?:\s|$)|^[,[\]{}#&*!|>'"%@`]|^---|^\.\.\.|: |:$| #|^\s|\s$/;

function text(bytes: string, indent: string): string {
  const plain = textOf(bytes);
  if (bytesOf(plain) !== bytes || /[^\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u.test(plain)) {
    throw new FunctionError("toYAML: a string with control characters is not supported");
  }
  if (plain.includes("\n")) return literal(plain, indent);
  if (plain.includes(" ") && plain.length > maxScalar)
    throw new FunctionError(`toYAML: a string of more than ${maxScalar} characters with spaces is not supported`);
  if (ambiguous.test(plain)) return JSON.stringify(bytes);
  return indicator.test(plain) ? `'${bytes.replaceAll("'", "''")}'` : bytes;
}

function literal(plain: string, indent: string): string {
  if (/^[ \n]|[ ]\n|\n\n$| $/.test(plain))
    throw new FunctionError("toYAML: a string of several lines with blanks at their ends is not supported");
  const chomp = plain.endsWith("\n") ? "" : "-";
  const inner = indent === "" ? "  " : indent;
  const lines = plain.replace(/\n$/, "").split("\n");
  return `|${chomp}\n${lines.map((line) => (line === "" ? "" : inner + bytesOf(line))).join("\n")}`;
}

/** Numbers within keys by their value: `a2` comes before `a10`. */
function compareKeys(a: string, b: string): number {
  const [left, right] = [a, b].map((key) => key.match(/\d+|\D/g) ?? []);
  for (let i = 0; i < Math.min(left?.length ?? 0, right?.length ?? 0); i++) {
    const [x = "", y = ""] = [left?.[i], right?.[i]];
    if (x === y) continue;
    const [isLetterX, isLetterY] = [x, y].map((part) => /[A-Za-z]/.test(part));
    const areNumbers = /\d/.test(x) && /\d/.test(y);
    if (areNumbers && BigInt(x) !== BigInt(y)) return BigInt(x) < BigInt(y) ? -1 : 1;
    if (isLetterX !== isLetterY) return isLetterX ? 1 : -1;
    return x < y ? -1 : 1;
  }
  return (left?.length ?? 0) - (right?.length ?? 0);
}
