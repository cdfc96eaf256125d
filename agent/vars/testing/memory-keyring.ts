import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Keyring } from "../keyring.js";

/** A keyring whose file is gone again: it has what it needs in memory. */
export function memoryKeyring(): Keyring {
  const dir = mkdtempSync(join(tmpdir(), "allocd-keys-"));
  try {
    mkdirSync(join(dir, "state"));
    return Keyring.open(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
