import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Database, Statement, Transaction } from "better-sqlite3";
import { Backups } from "./backups.js";
import { StoreOpenError } from "./errors.js";
import { HighWater, RESTORE_GAP } from "./high-water.js";
import { HistoryReader } from "./history-reader.js";
import { loadRows } from "./load-rows.js";
import { migrate, versionOf } from "./migrate.js";
import { privateFile } from "./private-file.js";
import type { Durability, EventRow, OpenArgs, Opened } from "./protocol.js";
import type { Repair } from "./quarantine.js";
import { HistoryRetention } from "./retention.js";
import { isDiskFault } from "./sqlite-error.js";
import type { HistoryQuery } from "./state-store.js";
import { type Operation, type SqlValue, type StatementName, statements } from "./statements.js";

/** The index may run this far ahead of the high-water file before the file is written even while commits come without a pause. */
const highWaterStep = 100;
/** A disk that has no room for this has none. */
const probeBytes = 64 * 1024;

export interface DatabaseArgs extends OpenArgs {
  /** Damage was found in it while it was in use. */
  readonly isSuspect: boolean;
  /** It took the place of a damaged one. */
  readonly repair: Repair | null;
}

/** The state on disk, as the store's thread sees it: statements and rows, no JSON. Everything here is synchronous. */
export class StateDatabase {
  readonly opened: Opened;
  readonly #db: Database;
  readonly #dir: string;
  readonly #highWater: HighWater;
  readonly #statements: Readonly<Record<StatementName, Statement<SqlValue[]>>>;
  readonly #transaction: Transaction<(operations: readonly Operation[]) => void>;
  readonly #history: HistoryReader;
  readonly #retention: HistoryRetention;
  readonly #indexNow: Statement<[], bigint>;

  /**
   * Makes a connection fit for use: brings tables up to date and reads what is kept in memory.
   *
   * @throws StoreOpenError, or SQLite's error; the connection stays open then.
   */
  constructor(db: Database, path: string, { dir, limits, isSuspect, repair }: DatabaseArgs) {
    this.#db = db;
    this.#dir = dir;
    db.defaultSafeIntegers(true);
    const durability = makeDurable(db, path);
    db.pragma("foreign_keys = ON");
    const unclean = versionOf(db) > 0 && metaOf(db, "clean") !== 1;
    if (isSuspect) checkIntegrity(db, path, "integrity_check(1)");
    else if (unclean) checkIntegrity(db, path, "quick_check(1)");
    migrate(db, path, undefined, (version) => copyBefore(db, dir, version));
    this.#highWater = new HighWater(dir);
    const knownIndex = metaOf(db, "index") ?? 0;
    const restored = continueAfterRestore(db, this.#highWater.read(), repair !== null);
    markOpen(db);
    this.#statements = prepareAll(db);
    this.#transaction = db.transaction((operations: readonly Operation[]) => this.#run(operations));
    this.#history = new HistoryReader(db);
    this.#retention = new HistoryRetention(db, limits);
    this.#indexNow = db.prepare<[], bigint>("SELECT value FROM meta WHERE key = 'index'").pluck();
    this.opened = { rows: loadRows(db), restored, unclean, knownIndex, repair, durability };
  }

  /**
   * Finds out whether the disk takes writes, with more than the smallest.
   *
   * @throws SQLite's error or the file system's.
   */
  probe(): void {
    const path = join(this.#dir, "probe");
    try {
      const fd = openSync(path, "w", 0o600);
      try {
        writeSync(fd, Buffer.alloc(probeBytes));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    } finally {
      rmSync(path, { force: true });
    }
    putMeta(this.#db, "clean", 0);
  }

  /** Writes all in one transaction. */
  write(operations: readonly Operation[]): void {
    this.#transaction.immediate(operations);
    for (const operation of operations) if (operation[0] === "addTaskEvent") this.#retention.added(String(operation[1]));
    this.#raiseHighWater(highWaterStep);
  }

  history(query: HistoryQuery): readonly EventRow[] {
    return this.#history.read(query);
  }

  /** Does a small part of what can wait. True when there is more. */
  tidy(): boolean {
    this.#raiseHighWater(1);
    return this.#retention.step();
  }

  /** Writes the WAL back and makes it empty. */
  checkpoint(): void {
    this.#db.pragma("wal_checkpoint(TRUNCATE)");
  }

  /** Closes, whatever the disk says. */
  close(): void {
    try {
      this.#raiseHighWater(1);
      putMeta(this.#db, "clean", 1);
      this.checkpoint();
    } catch {
      // A full disk: the next start checks the database instead.
    } finally {
      this.#db.close();
    }
  }

  #run(operations: readonly Operation[]): void {
    for (const [name, ...values] of operations) this.#statements[name].run(...values);
  }

  #raiseHighWater(step: number): void {
    this.#highWater.raise(Number(this.#indexNow.get() ?? 0n), step);
  }
}

/** An answered commit is on disk: asked of the connection itself, as a file system may refuse what was wanted. */
function makeDurable(db: Database, path: string): Durability {
  db.pragma("journal_mode = WAL");
  // WAL mode makes it NORMAL, which loses the last commits with the power.
  db.pragma("synchronous = FULL");
  const journalMode = String(db.pragma("journal_mode", { simple: true }));
  const synchronous = Number(db.pragma("synchronous", { simple: true }));
  if (journalMode !== "wal" || synchronous !== 2) {
    throw new StoreOpenError(
      "unusable",
      path,
      `${path}: the file system allows journal_mode ${journalMode}, synchronous ${synchronous}; wal and 2 are needed`,
    );
  }
  return { journalMode, synchronous };
}

/** The way back from a new form of the tables, made before the old one is given up. @throws when there is no room for it. */
function copyBefore(db: Database, dir: string, version: number): void {
  const backups = new Backups(dir);
  const path = backups.beforeVersion(version);
  const draft = `${path}.new`;
  backups.make();
  for (const old of [draft, path]) rmSync(old, { force: true });
  privateFile(draft);
  db.prepare("VACUUM INTO ?").run(draft);
  renameSync(draft, path);
}

function prepareAll(db: Database): Readonly<Record<StatementName, Statement<SqlValue[]>>> {
  const prepared = Object.entries(statements).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries(prepared);
}

function metaOf(db: Database, key: string): number | undefined {
  const value = db.prepare<[string], bigint>("SELECT value FROM meta WHERE key = ?").pluck().get(key);
  return value === undefined ? undefined : Number(value);
}

const putMeta = (db: Database, key: string, value: number): void => void db.prepare(statements.putMeta).run(key, value);

/** Not worth refusing to start for on a full disk: what is lost is a check after a crash. */
function markOpen(db: Database): void {
  try {
    putMeta(db, "clean", 0);
  } catch (error) {
    if (!isDiskFault(error)) throw error;
  }
}

function checkIntegrity(db: Database, path: string, check: string): void {
  const found = db.pragma(check, { simple: true });
  if (found !== "ok") throw new StoreOpenError("corrupt", path, `${path} is damaged: ${String(found)}`);
}

/**
 * Moves the index, and that of everything that a poller may wait for, above what was handed out before the database was
 * put back from a backup.
 */
function continueAfterRestore(db: Database, highWater: number, isRepaired: boolean): boolean {
  const index = metaOf(db, "index") ?? 0;
  if (highWater <= index && !isRepaired) return false;
  const next = Math.max(index, highWater) + RESTORE_GAP;
  const run = db.transaction(() => {
    for (const table of ["allocs", "jobs", "evals", "deployments", "nodes", "namespaces", "services", "vars", "acl"])
      putMeta(db, `index:${table}`, next);
    putMeta(db, "index", next);
    db.prepare("UPDATE alloc_status SET modify_index = ?").run(next);
    for (const table of ["job_versions", "evals", "deployments", "node", "namespaces", "services", "variables"]) {
      db.prepare(`UPDATE ${table} SET body = json_set(body, '$.ModifyIndex', CAST(? AS INTEGER))`).run(next);
    }
  });
  run.immediate();
  return true;
}
