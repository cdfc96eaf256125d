import { InvalidInput } from "./invalid-field.js";

/** An id or a prefix that can not be one. Its text is the reference's. Source: reference behaviour §1.2. */
export class InvalidUuid extends InvalidInput {
  override readonly name = "InvalidUuid";
  constructor(reason: string) {
    super(`alloc lookup failed: index error: ${reason}`);
  }
}

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const length = 36;
const hyphens = 4;

export const isUuid = (text: string): boolean => form.test(text);

/**
 * @returns the id in lower case.
 * @throws InvalidUuid
 */
export function checkUuid(id: string): string {
  if (id.length !== length) throw new InvalidUuid("UUID must be 36 characters");
  if (!form.test(id)) throw new InvalidUuid(`Invalid UUID: ${badByte(id.replaceAll("-", ""))}`);
  return id.toLowerCase();
}

/**
 * A prefix is bytes in hex: an even number of digits, with hyphens anywhere.
 *
 * @returns the prefix in lower case, with its hyphens where an id has them.
 * @throws InvalidUuid
 */
export function checkUuidPrefix(prefix: string): string {
  if (prefix.length > length) throw new InvalidUuid(`Invalid UUID length. UUID have 36 characters; got ${prefix.length}`);
  const given = prefix.split("-").length - 1;
  if (given > hyphens) throw new InvalidUuid(`UUID should have maximum of 4 "-"; got ${given}`);
  const digits = prefix.replaceAll("-", "").toLowerCase();
  if (digits.length % 2 !== 0) throw new InvalidUuid("Input (without hyphens) must be even length");
  if (!/^[0-9a-f]*$/.test(digits)) throw new InvalidUuid(`Invalid UUID: ${badByte(digits)}`);
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].filter(Boolean).join("-");
}

function badByte(digits: string): string {
  const bad = [...digits].find((digit) => !/[0-9a-fA-F]/.test(digit));
  if (bad === undefined) return "hyphens are not where they belong";
  const code = (bad.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `encoding/hex: invalid byte: U+${code} '${bad}'`;
}
