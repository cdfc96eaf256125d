import { bytesOf, textOf } from "./values.js";

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

const escapeSequence = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\'"]))|\\|[^\\]/g;

/**
 * What a quoted string or character of Go's stands for.
 *
 * @param literal with its quotes: `"`, `` ` `` or `'`.
 * @returns undefined when it is none.
 */
export function unquote(literal: string): string | undefined {
  const quote = literal[0];
  const inner = literal.slice(1, -1);
  if (quote === "`") return inner.replaceAll("\r", "");
  let isValid = true;
  const value = inner.replace(escapeSequence, (whole, hex?: string, short?: string, long?: string, octal?: string, named?: string) => {
    if (whole[0] !== "\\") return whole;
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (octal !== undefined && Number.parseInt(octal, 8) < 256) return String.fromCharCode(Number.parseInt(octal, 8));
    const code = short ?? long;
    if (code !== undefined && isRune(Number.parseInt(code, 16))) return bytesOf(String.fromCodePoint(Number.parseInt(code, 16)));
    // The other kind of quote needs no escape, and Go allows none.
    const isOther = (named === "'" && quote === '"') || (named === '"' && quote === "'");
    if (named !== undefined && !isOther) return escapes[named] ?? "";
    isValid = false;
    return "";
  });
  return isValid ? value : undefined;
}

export const isRune = (code: number): boolean => code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);

/** @returns undefined when it is not exactly one character. */
export function characterCode(literal: string): bigint | undefined {
  const value = unquote(literal);
  if (value === undefined) return undefined;
  // `'\xff'` is the number 255, not a broken piece of UTF-8.
  if (value.length === 1) return BigInt(value.charCodeAt(0));
  const [char, more] = [...textOf(value)];
  return char === undefined || more !== undefined || char === "\ufffd" ? undefined : BigInt(char.codePointAt(0) ?? 0);
}

const maxInt64 = 2n ** 63n - 1n;

/**
 * The value of a number as Go reads its literal.
 *
 * @returns undefined when it is none, "overflow" when it is too large, "complex" for an imaginary one.
 */
export function numberOf(literal: string): bigint | number | "overflow" | "complex" | undefined {
  if (/^[+-]?[0-9].*i$/.test(literal)) return "complex";
  if (/(^|[^0-9a-fA-FxXoObB])_|__|_$/.test(literal)) return undefined;
  const [, sign = "", digits = ""] = /^([+-]?)(.*)$/.exec(literal.replaceAll("_", "")) ?? [];
  const isHex = /^0[xX]/.test(digits);
  if (isHex && /[.pP]/.test(digits)) return hexFloat(sign, digits);
  if (!isHex && /[.eE]/.test(digits)) {
    const value = Number(sign + digits);
    return Number.isFinite(value) ? value : "overflow";
  }
  const value = wholeNumber(digits);
  if (value === undefined) return undefined;
  const signed = sign === "-" ? -value : value;
  return signed > maxInt64 || signed < -maxInt64 - 1n ? "overflow" : signed;
}

function wholeNumber(digits: string): bigint | undefined {
  // A leading zero is Go's older way of writing octal numbers.
  const octal = /^0[0-9]/.test(digits) ? `0o${digits.slice(1)}` : digits;
  try {
    return BigInt(octal);
  } catch {
    return undefined;
  }
}

function hexFloat(sign: string, digits: string): number | undefined {
  const [, whole = "", fraction = "", power] = /^0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?[0-9]+)$/.exec(digits) ?? [];
  if (power === undefined || whole + fraction === "") return undefined;
  const mantissa = Number(BigInt(`0x${whole}${fraction}`));
  const value = mantissa * 2 ** (Number(power) - 4 * fraction.length);
  return sign === "-" ? -value : value;
}
