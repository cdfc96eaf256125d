import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { StoreOpenError } from "./errors.js";
import { privateFile } from "./private-file.js";
import { codeOf, isFileFault } from "./sqlite-error.js";

/**
 * The right to be the one agent of a directory, held as SQLite's exclusive lock on a database that nothing else opens:
 * it ends with the process, however that ends.
 *
 * The lock is the process's: closing any other descriptor of lock.db, by a mere read of it, would give it up. So who holds
 * it is written to a file beside.
 */
export class DirectoryLock {
  readonly #db: Database.Database;
  readonly #holderFile: string;

  private constructor(db: Database.Database, holderFile: string) {
    this.#db = db;
    this.#holderFile = holderFile;
  }

  /** @throws StoreOpenError `locked` with the holder's pid if it is known, `unusable` when the files can not be used. */
  static take(dir: string): DirectoryLock {
    const path = join(dir, "lock.db");
    const holderFile = join(dir, "lock.pid");
    let db: Database.Database | undefined;
    try {
      privateFile(path);
      db = new Database(path, { timeout: 0 });
      db.exec("BEGIN EXCLUSIVE");
      noteHolder(holderFile);
      return new DirectoryLock(db, holderFile);
    } catch (error) {
      db?.close();
      if (codeOf(error).startsWith("SQLITE_BUSY")) throw new StoreOpenError("locked", dir, lockedText(dir, holderOf(holderFile)));
      throw new StoreOpenError("unusable", path, `${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  release(): void {
    rmSync(this.#holderFile, { force: true });
    this.#db.close();
  }
}

/** On a full disk nobody can be told who holds the lock, which holds all the same. */
function noteHolder(file: string): void {
  try {
    writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    if (!isFileFault(error)) throw error;
  }
}

const lockedText = (dir: string, holder: number | undefined): string =>
  `${dir} is in use by another allocd agent${holder === undefined ? "" : ` (pid ${holder})`}: stop it first or use another directory`;

/** The pid in the file, if there is such a process: a holder that was killed leaves its own behind. */
function holderOf(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    return Number.isInteger(pid) && statSync(`/proc/${pid}`).isDirectory() ? pid : undefined;
  } catch {
    return undefined;
  }
}
