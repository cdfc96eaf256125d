import { createHash, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import { ArtifactError, refused } from "./artifact-error.js";

const sizes: Readonly<Record<string, number>> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 };

export interface Checksum {
  readonly type: string;
  /** Lower-case hexadecimal digits. */
  readonly value: string;
}

/**
 * Reads `type:digits`, or digits whose number tells the type.
 *
 * @throws ArtifactError
 */
export function parseChecksum(given: string): Checksum {
  const [, type = typeOf(given), digits = given] = /^(\w+):(.*)$/s.exec(given) ?? [];
  const size = sizes[type];
  if (size === undefined)
    throw refused(
      `checksum: got ${JSON.stringify(given.slice(0, 80))}, want one of ${Object.keys(sizes).join(", ")} or file, and its digits`,
    );
  if (digits.length !== size || !/^[0-9a-fA-F]*$/.test(digits)) throw refused(`checksum: want ${size} hexadecimal digits for ${type}`);
  return { type, value: digits.toLowerCase() };
}

const typeOf = (digits: string): string => Object.entries(sizes).find(([, size]) => size === digits.length)?.[0] ?? "";

/**
 * Finds the checksum of a file in a list, as md5sum and its like write it, with or without `--tag`.
 *
 * @param content of the list. A list of one line may be without a name.
 * @throws ArtifactError when the file is not in it.
 */
export function findChecksum(content: string, name: string): Checksum {
  const lines = content
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of lines) {
    const [, type, tagged, value] = /^(\w+) \((.+)\) = ([0-9a-fA-F]+)$/.exec(line) ?? [];
    if (type !== undefined && value !== undefined && baseName(tagged ?? "") === name)
      return parseChecksum(`${type.toLowerCase()}:${value}`);
    const [, digits, plain] = /^([0-9a-fA-F]+)(?:[ \t]+[*]?(.+))?$/.exec(line) ?? [];
    if (digits !== undefined && (plain === undefined ? lines.length === 1 : baseName(plain) === name)) return parseChecksum(digits);
  }
  throw refused(`checksum: the list has none for ${JSON.stringify(name)}`);
}

const baseName = (path: string): string => path.split("/").at(-1) ?? path;

/** @throws ArtifactError when the file is another one. */
export async function checkFile(path: string, { type, value }: Checksum, signal: AbortSignal): Promise<void> {
  const hash = createHash(type);
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
  const found = hash.digest();
  if (!timingSafeEqual(found, Buffer.from(value, "hex"))) {
    throw new ArtifactError(`checksums did not match: expected ${type} ${value}, got ${found.toString("hex")}`, "restart");
  }
}
