import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 128 random bits in the form of a UUID, which clients expect a secret to have. */
export function newSecret(): string {
  const hex = randomBytes(16).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Of a random secret of 128 bits a plain hash is enough: there is no list of likely ones to try. */
export const hashSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** Compares in a time that does not depend on where two hashes differ. */
export const sameHash = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
