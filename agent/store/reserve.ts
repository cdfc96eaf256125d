import { existsSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const bytes = 1 << 20;
/** It must never be what makes a disk scarce. */
const wantedFree = 16 * bytes;

/**
 * A file that is given up when the database can not be opened for want of room: SQLite makes its -shm and -wal anew at
 * every start, and an agent that was killed on a full disk has to come back on it.
 */
export class DiskReserve {
  readonly #path: string;

  constructor(stateDir: string) {
    this.#path = join(stateDir, "reserve");
  }

  /** @returns whether there was one. */
  release(): boolean {
    if (!existsSync(this.#path)) return false;
    rmSync(this.#path, { force: true });
    return true;
  }

  /** Makes it, where there is room in plenty. */
  fill(): void {
    if (existsSync(this.#path)) return;
    try {
      const { bavail, bsize } = statfsSync(join(this.#path, ".."));
      if (bavail * bsize >= wantedFree) writeFileSync(this.#path, Buffer.alloc(bytes), { mode: 0o600 });
    } catch {
      rmSync(this.#path, { force: true });
    }
  }
}
