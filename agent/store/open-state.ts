import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Backups } from "./backups.js";
import { StateDatabase } from "./database.js";
import { StoreOpenError } from "./errors.js";
import { DirectoryLock } from "./lock.js";
import { refuseNewer } from "./migrate.js";
import { migrations } from "./migrations/index.js";
import { privateFile } from "./private-file.js";
import type { OpenArgs } from "./protocol.js";
import { headerVersion, noteRepair, quarantine, type Repair } from "./quarantine.js";
import { DiskReserve } from "./reserve.js";
import { isDamage, isDiskFault, isFileFault } from "./sqlite-error.js";

/** SQLite has found damage in a database that was in use: the next start looks more closely. */
const suspectMark = "suspect";

/**
 * The way from a directory to an open database. A damaged one is put aside and the newest good backup takes its place,
 * or an empty one when there is none: the agent starts in any case, and takes up what runs by its records.
 */
export class StateOpener {
  readonly #args: OpenArgs;
  readonly #lock: DirectoryLock;
  readonly #reserve: DiskReserve;
  readonly #backups: Backups;
  readonly #path: string;
  /** Backups that were put in place, or could not be, in this life. */
  readonly #tried = new Set<string>();
  #repair: Repair | null = null;

  private constructor(args: OpenArgs, lock: DirectoryLock) {
    this.#args = args;
    this.#lock = lock;
    this.#reserve = new DiskReserve(args.dir);
    this.#backups = new Backups(args.dir);
    this.#path = join(args.dir, "state.db");
  }

  /**
   * Takes the directory, which is made if it is not there.
   *
   * @throws StoreOpenError `locked` or `unusable`.
   */
  static take(args: OpenArgs): StateOpener {
    try {
      mkdirSync(args.dir, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new StoreOpenError("unusable", args.dir, `${args.dir}: ${(error as Error).message}`, { cause: error });
    }
    return new StateOpener(args, DirectoryLock.take(args.dir));
  }

  /**
   * Opens the database, new or known.
   *
   * @throws StoreOpenError `newer` or `unusable`; the directory is given up then.
   */
  open(): StateDatabase {
    try {
      const version = this.#attempt(() => headerVersion(this.#path));
      if (version !== undefined) refuseNewer(version, this.#path);
      const lost = this.#lostReason();
      return lost === null ? this.#openOrRepair() : this.#repaired(lost);
    } catch (error) {
      this.#lock.release();
      if (error instanceof StoreOpenError) throw error;
      throw new StoreOpenError("unusable", this.#path, `${this.#path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /**
   * What the database holds makes no sense, although SQLite has found no fault: the next backup takes its place.
   *
   * @param database closed by this.
   */
  replace(database: StateDatabase, reason: string): StateDatabase {
    database.close();
    return this.#repaired(reason);
  }

  /** Gives the directory up. */
  release(): void {
    this.#lock.release();
  }

  /** The database in use was found to be damaged. */
  suspect(): void {
    try {
      writeFileSync(join(this.#args.dir, suspectMark), "", { mode: 0o600 });
    } catch {
      // The next start checks the database anyway, if less thoroughly.
    }
  }

  fillReserve(): void {
    this.#reserve.fill();
  }

  #openOrRepair(): StateDatabase {
    try {
      return this.#openWithRoom();
    } catch (error) {
      if (!isDamaged(error)) throw error;
      return this.#repaired((error as Error).message);
    }
  }

  /** A file of no length, or none, where there was one: not a new directory, but a loss. */
  #lostReason(): string | null {
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    if (stat && !stat.isFile()) return `${this.#path} is no file`;
    if (stat && stat.size > 0) return null;
    const hasWal = (statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
    const wasUsed = hasWal || existsSync(join(this.#args.dir, "high-water")) || this.#backups.list().length > 0;
    return wasUsed ? `${this.#path} is ${stat ? "empty" : "gone"}` : null;
  }

  #repaired(found: string): StateDatabase {
    let reason = found;
    for (;;) {
      const restored = this.#putBackupInPlace(reason);
      try {
        const database = this.#openWithRoom();
        this.#clearSuspicion();
        return database;
      } catch (error) {
        if (restored === null || !isDamaged(error)) throw error;
        reason = (error as Error).message;
      }
    }
  }

  #putBackupInPlace(reason: string): string | null {
    this.#reserve.release();
    if (this.#repair) this.#removeFiles();
    const path = this.#repair?.quarantine ?? quarantine(this.#args.dir);
    const restored = this.#restoreNext();
    this.#repair = { time: new Date().toISOString(), reason: this.#repair?.reason ?? reason, quarantine: path, restored };
    noteRepair(this.#repair);
    return restored;
  }

  #removeFiles(): void {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(this.#path + suffix, { recursive: true, force: true });
  }

  #restoreNext(): string | null {
    for (const backup of this.#backups.list()) {
      if (this.#tried.has(backup)) continue;
      this.#tried.add(backup);
      if (isGood(backup)) {
        putInPlace(backup, this.#path);
        return backup;
      }
    }
    return null;
  }

  /** Gives up the reserve when there is no room otherwise. */
  #openWithRoom(): StateDatabase {
    return this.#attempt(() => this.#openOnce());
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isDiskFault(error) || !this.#reserve.release()) throw error;
      return work();
    }
  }

  #openOnce(): StateDatabase {
    privateFile(this.#path);
    // The copy of a backup may wait for a moment, no reader longer: nothing else writes here.
    const db = new Database(this.#path, { timeout: 100 });
    try {
      const isSuspect = existsSync(join(this.#args.dir, suspectMark));
      const database = new StateDatabase(db, this.#path, { ...this.#args, isSuspect, repair: this.#repair });
      this.#clearSuspicion();
      return database;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  #clearSuspicion(): void {
    rmSync(join(this.#args.dir, suspectMark), { force: true });
  }
}

/** The tables are not what they were: somebody has written over them. */
const isDamaged = (error: unknown): boolean =>
  isDamage(error) ||
  (error instanceof StoreOpenError && error.reason === "corrupt") ||
  (error instanceof Error && /^(no such (table|column)|malformed JSON)/.test(error.message));

function isGood(path: string): boolean {
  try {
    const version = headerVersion(path);
    if (version === undefined || version < 1 || version > (migrations.at(-1)?.version ?? 0)) return false;
    const db = new Database(path, { readonly: true, fileMustExist: true });
    try {
      return db.pragma("quick_check(1)", { simple: true }) === "ok";
    } finally {
      db.close();
    }
  } catch {
    return false;
  }
}

/** The backup stays where it is, unless there is no room for two. */
function putInPlace(backup: string, path: string): void {
  const draft = `${path}.new`;
  try {
    copyFileSync(backup, draft);
    chmodSync(draft, 0o600);
    const fd = openSync(draft, "r");
    fsyncSync(fd);
    closeSync(fd);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    if (!isFileFault(error)) throw error;
    renameSync(backup, path);
  }
}
