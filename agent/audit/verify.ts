import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { hashLine, type Link, START } from "./chain.js";

export interface Verified {
  readonly lines: number;
  readonly first: number;
  readonly last: Link;
}

/** A chain that does not hold. The message names file and line. */
export class BrokenChain extends Error {
  override readonly name = "BrokenChain";
}

/**
 * Checks that files, oldest first, are one unbroken chain. What was cut off at its end can not be seen from the chain alone:
 * compare the last number and hash with ones that were noted elsewhere.
 *
 * @throws BrokenChain at the first line that does not fit.
 */
export async function verifyChain(files: readonly string[]): Promise<Verified> {
  let last: Link | undefined;
  let first = 0;
  let lines = 0;
  for (const file of files) {
    let number = 0;
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      const { seq, prev } = read(line, `${file}:${number}`);
      // Older files may have been removed, so a chain may begin anywhere, but for the first line of all.
      const before: Link = last ?? (seq === 1 ? START : { seq: seq - 1, hash: prev });
      if (seq !== before.seq + 1) throw new BrokenChain(`${file}:${number}: got number ${seq}, want ${before.seq + 1}: lines are missing`);
      if (prev !== before.hash)
        throw new BrokenChain(`${file}:${number}: the line before it, number ${before.seq}, is not as it was written`);
      if (lines === 0) first = seq;
      last = { seq, hash: hashLine(line) };
      lines++;
    }
  }
  return { lines, first, last: last ?? START };
}

function read(line: string, place: string): { readonly seq: number; readonly prev: string } {
  try {
    const { seq, prev } = JSON.parse(line) as { readonly seq?: unknown; readonly prev?: unknown };
    if (typeof seq === "number" && typeof prev === "string") return { seq, prev };
  } catch {
    // Told below.
  }
  throw new BrokenChain(`${place}: not a line of an audit log`);
}
