import { createHash } from "node:crypto";

/** What the first line of all has as the hash of the line before it. */
export const GENESIS = "0".repeat(64);

/** SHA-256 of a line's bytes, without its newline. */
export const hashLine = (line: string | Buffer): string => createHash("sha256").update(line).digest("hex");

/** Where the chain is. */
export interface Link {
  /** Number of the latest line; 0 before the first. */
  readonly seq: number;
  /** Its hash. */
  readonly hash: string;
}

export const START: Link = { seq: 0, hash: GENESIS };
