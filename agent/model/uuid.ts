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
  hexDigits(id);
  if (!form.test(id)) throw new InvalidUuid("Invalid UUID: hyphens are not where they belong");
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
  const digits = hexDigits(prefix);
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].filter(Boolean).join("-");
}

/** What is left without hyphens, in lower case: whole bytes in hex. */
function hexDigits(text: string): string {
  const given = text.split("-").length - 1;
  if (given > hyphens) throw new InvalidUuid(`UUID should have maximum of 4 "-"; got ${given}`);
  const digits = text.replaceAll("-", "");
  if (digits.length % 2 !== 0) throw new InvalidUuid("Input (without hyphens) must be even length");
  const [bad] = /[^0-9a-f]/iu.exec(digits) ?? [];
  if (bad === undefined) return digits.toLowerCase();
  const code = (bad.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  throw new InvalidUuid(`Invalid UUID: encoding/hex: invalid byte: U+${code} '${bad}'`);
}
