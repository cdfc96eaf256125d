import { textOf } from "./values.js";

const named: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/** What a terminal shows as a character of its own; of spaces only the plain one. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const utf8 = /[\0-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\s\S]/g;

/**
 * A string as Go writes it in a program, in double quotes.
 *
 * @param ascii whether everything beyond ASCII is escaped too.
 */
export function quote(bytes: string, ascii = false): string {
  return `"${bytes.replace(utf8, (char) => (char === '"' ? '\\"' : escaped(char, ascii)))}"`;
}

/** A character as Go writes it in a program, in single quotes. */
export function quoteCharacter(code: number, ascii = false): string {
  const char = String.fromCodePoint(code);
  return char === "'" ? "'\\''" : `'${escaped(Buffer.from(char, "utf8").toString("latin1"), ascii)}'`;
}

/** @param bytes those of one character, or one that belongs to none. */
function escaped(bytes: string, ascii: boolean): string {
  const name = named[bytes];
  if (name !== undefined) return name;
  const char = textOf(bytes);
  const code = char.codePointAt(0) ?? 0;
  const isBroken = bytes.length === 1 ? code === 0xfffd : [...char].length !== 1 || (code === 0xfffd && bytes !== "\xef\xbf\xbd");
  if (isBroken) return [...bytes].map((byte) => `\\x${hex(byte.charCodeAt(0), 2)}`).join("");
  if (printable.test(char) && (code < 0x7f || !ascii)) return bytes;
  if (code < 0x80) return `\\x${hex(code, 2)}`;
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, "0");

/** Whether a string can stand between backquotes. */
export const canBackquote = (bytes: string): boolean => {
  const text = textOf(bytes);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
  return !/[\0-\x08\x0a-\x1f\x7f`\ufeff\ufffd]/.test(text);
};
