import { FunctionError } from "../go/errors.js";
import { bytesOf, GoList, GoMap, GoStruct, textOf, typeName, type Value } from "../go/values.js";

/** As Go's encoding/json reads it: every number is floating point. */
export function parseGoJson(bytes: string): Value {
  let parsed: unknown;
  try {
    parsed = JSON.parse(textOf(bytes));
  } catch (error) {
    throw new FunctionError((error as Error).message);
  }
  return toValue(parsed);
}

function toValue(parsed: unknown): Value {
  if (typeof parsed === "string") return bytesOf(parsed);
  if (Array.isArray(parsed)) return new GoList(parsed.map(toValue));
  if (typeof parsed === "object" && parsed !== null) {
    return new GoMap(new Map(Object.entries(parsed).map(([key, value]) => [bytesOf(key), toValue(value)] as const)));
  }
  return parsed as boolean | number | null;
}

interface JsonStyle {
  /** Whether `<`, `>` and `&` are escaped. */
  readonly html: boolean;
  readonly pretty: boolean;
}

/** As Go's encoding/json writes it: keys in order, an indent of two spaces when pretty. */
export const encodeGoJson = (value: Value, style: JsonStyle): string => write(value, style, "");

function write(value: Value, style: JsonStyle, indent: string): string {
  if (value === null) return "null";
  if (typeof value === "string") return quoted(value, style);
  if (typeof value === "number") return real(value);
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  const inner = `${indent}  `;
  if (value instanceof GoList)
    return block(
      "[]",
      value.items.map((item) => write(item, style, inner)),
      style,
      indent,
    );
  const colon = style.pretty ? ": " : ":";
  const member = ([key, item]: readonly [string, Value]): string => `${quoted(key, style)}${colon}${write(item, style, inner)}`;
  if (value instanceof GoMap) return block("{}", value.sorted().map(member), style, indent);
  if (value instanceof GoStruct) {
    const own = value.methods.get("MarshalJSON");
    return own ? write(own.call([]), style, indent) : block("{}", [...value.fields].map(member), style, indent);
  }
  throw new FunctionError(`json: unsupported type: ${typeName(value)}`);
}

function block(brackets: string, items: readonly string[], { pretty }: JsonStyle, indent: string): string {
  const [open, close] = brackets;
  if (!pretty || items.length === 0) return `${open}${items.join(",")}${close}`;
  return `${open}\n${items.map((item) => `${indent}  ${item}`).join(",\n")}\n${indent}${close}`;
}

function real(value: number): string {
  if (!Number.isFinite(value)) throw new FunctionError("json: unsupported value: a float64 that is no number");
  return Object.is(value, -0) ? "-0" : String(value);
}

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

function quoted(bytes: string, { html }: JsonStyle): string {
  const special = html ? /["\\\p{Cc}<>&\u2028\u2029\ufffd]/gu : /["\\\p{Cc}\u2028\u2029\ufffd]/gu;
  const text = textOf(bytes).replace(
    special,
    (char) =>
      (char >= "\x7f" && char <= "\x9f" ? char : undefined) ??
      escapes[char] ??
      (char === "\ufffd" ? replacement(bytes) : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
  return `"${bytesOf(text)}"`;
}

/** Go escapes what stands for a broken byte, and leaves a replacement character that was there. */
const replacement = (bytes: string): string => (bytes.includes("\xef\xbf\xbd") ? "\ufffd" : "\\ufffd");
