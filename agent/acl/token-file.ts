import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { newSecret } from "./secret.js";

/** Writes a new secret so that only the agent's own user can read it, whole or not at all. @returns the secret. */
export function writeTokenFile(path: string): string {
  const secret = newSecret();
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const fd = openSync(temporary, "wx", 0o600);
  try {
    writeSync(fd, `${secret}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  return secret;
}
