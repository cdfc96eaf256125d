import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { SqliteStore, type SqliteStoreOptions } from "../sqlite-store.js";
import { Compiled } from "./compiled.js";
import { StepClock } from "./step-clock.js";

export const silent = pino({ level: "silent" });

/** Directories and the stores in them, all gone after `remove`. */
export class TemporaryStores {
  readonly compiled = new Compiled();
  readonly workerUrl = this.compiled.url("agent/store/worker.ts");
  readonly backupWorkerUrl = this.compiled.url("agent/store/backup-worker.ts");
  readonly #root = mkdtempSync(join(tmpdir(), "allocd-store-"));
  readonly #open = new Set<SqliteStore>();
  #dirs = 0;

  /** A path at which there is nothing yet. */
  newDir(): string {
    return join(this.#root, `${++this.#dirs}`);
  }

  async open(dir: string, options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
    const { workerUrl, backupWorkerUrl } = this;
    const store = await SqliteStore.open({ dir, clock: new StepClock(), log: silent, workerUrl, backupWorkerUrl, ...options });
    this.#open.add(store);
    return store;
  }

  opened(): readonly SqliteStore[] {
    return [...this.#open];
  }

  async close(store: SqliteStore): Promise<void> {
    this.#open.delete(store);
    await store.close();
  }

  async remove(): Promise<void> {
    for (const store of this.opened()) await this.close(store);
    rmSync(this.#root, { recursive: true, force: true });
    this.compiled.remove();
  }
}
