import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How far the index jumps when the database turns out to be older than its directory. */
export const RESTORE_GAP = 1_000_000;

/**
 * The highest index that was handed out, in a file beside the database. A backup that was put back knows a lower one, and
 * pollers of before would wait for an index that comes much later.
 *
 * Never flushed to disk: the jump covers what is lost, and the file is only ever behind the database.
 */
export class HighWater {
  readonly #path: string;
  #written = 0;

  constructor(dir: string) {
    this.#path = join(dir, "high-water");
  }

  /** 0 when there is none or it can not be read. */
  read(): number {
    try {
      const index = Number(readFileSync(this.#path, "utf8"));
      return Number.isSafeInteger(index) ? index : 0;
    } catch {
      return 0;
    }
  }

  /** Writes the index when it is `step` above the one that was written last. A full disk is no reason to fail. */
  raise(index: number, step: number): void {
    if (index < this.#written + step) return;
    try {
      writeFileSync(`${this.#path}.new`, `${index}\n`, { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
      this.#written = index;
    } catch {
      // The next one may succeed, and the database has the index anyway.
    }
  }
}
