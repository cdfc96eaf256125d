import { chmodSync, closeSync, openSync } from "node:fs";

/**
 * Makes an empty file of mode 0600, or gives an existing one that mode. It never opens an existing file: closing a
 * descriptor of a database drops the locks that SQLite holds on it.
 */
export function privateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    chmodSync(path, 0o600);
  }
}
