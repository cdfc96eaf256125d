import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const FILE = "acl-bootstrap-reset";

export interface BootstrapReset {
  readonly index: number;
  /** Removes the file: it counts once. */
  consume(): void;
}

/**
 * What an operator has written to reset the bootstrap: the index that a refused one was told. Whoever can write there is
 * root already. Source: the documentation's "Reset the ACL system".
 *
 * @returns undefined when there is no file with a number.
 */
export function bootstrapReset(dataDir: string): BootstrapReset | undefined {
  const path = join(dataDir, FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
  if (!/^\d{1,15}$/.test(text)) return undefined;
  return { index: Number(text), consume: () => rmSync(path, { force: true }) };
}
