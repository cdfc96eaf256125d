import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Database, { type Statement, type Transaction } from "better-sqlite3";
import { StoreOpenError } from "./errors.js";
import { HighWater, RESTORE_GAP } from "./high-water.js";
import { HistoryReader } from "./history-reader.js";
import { loadRows } from "./load-rows.js";
import { DirectoryLock } from "./lock.js";
import { migrate, versionOf } from "./migrate.js";
import { privateFile } from "./private-file.js";
import type { EventRow, OpenArgs, Opened } from "./protocol.js";
import { HistoryRetention } from "./retention.js";
import { isDamage, isDiskFault } from "./sqlite-error.js";
import type { HistoryQuery } from "./state-store.js";
import { type Operation, type SqlValue, type StatementName, statements } from "./statements.js";

/** The index may run this far ahead of the high-water file before the file is written even while commits come without a pause. */
const highWaterStep = 1_000;

/** The state on disk, as the store's thread sees it: statements and rows, no JSON. Everything here is synchronous. */
export class StateDatabase {
  readonly opened: Opened;
  readonly #db: Database.Database;
  readonly #lock: DirectoryLock;
  readonly #highWater: HighWater;
  readonly #statements: Readonly<Record<StatementName, Statement<SqlValue[]>>>;
  readonly #transaction: Transaction<(operations: readonly Operation[]) => void>;
  readonly #history: HistoryReader;
  readonly #retention: HistoryRetention;
  readonly #indexNow: Statement<[], bigint>;

  /**
   * Takes the directory and opens the database in it, new or known.
   *
   * @throws StoreOpenError
   */
  static open(args: OpenArgs): StateDatabase {
    try {
      mkdirSync(args.dir, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new StoreOpenError("unusable", args.dir, `${args.dir}: ${(error as Error).message}`, { cause: error });
    }
    const lock = DirectoryLock.take(args.dir);
    const path = join(args.dir, "state.db");
    let db: Database.Database | undefined;
    try {
      privateFile(path);
      db = new Database(path);
      return new StateDatabase(db, path, lock, args);
    } catch (error) {
      db?.close();
      lock.release();
      if (error instanceof StoreOpenError) throw error;
      throw new StoreOpenError(isDamage(error) ? "corrupt" : "unusable", path, `${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  private constructor(db: Database.Database, path: string, lock: DirectoryLock, { dir, limits }: OpenArgs) {
    this.#db = db;
    this.#lock = lock;
    db.defaultSafeIntegers(true);
    db.pragma("journal_mode = WAL");
    // WAL mode makes it NORMAL, which loses the last commits with the power.
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    const unclean = versionOf(db) > 0 && metaOf(db, "clean") !== 1;
    if (unclean) checkIntegrity(db, path);
    migrate(db, path);
    this.#highWater = new HighWater(dir);
    const restored = continueAfterRestore(db, this.#highWater.read());
    markOpen(db);
    this.#statements = prepareAll(db);
    this.#transaction = db.transaction((operations: readonly Operation[]) => this.#run(operations));
    this.#history = new HistoryReader(db);
    this.#retention = new HistoryRetention(db, limits);
    this.#indexNow = db.prepare<[], bigint>("SELECT value FROM meta WHERE key = 'index'").pluck();
    this.opened = { rows: loadRows(db), restored, unclean };
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

  /** Closes and gives the directory up, whatever the disk says. */
  close(): void {
    try {
      this.#raiseHighWater(1);
      putMeta(this.#db, "clean", 1);
      this.checkpoint();
    } catch {
      // A full disk: the next start checks the database instead.
    } finally {
      this.#db.close();
      this.#lock.release();
    }
  }

  #run(operations: readonly Operation[]): void {
    for (const [name, ...values] of operations) this.#statements[name].run(...values);
  }

  #raiseHighWater(step: number): void {
    this.#highWater.raise(Number(this.#indexNow.get() ?? 0n), step);
  }
}

function prepareAll(db: Database.Database): Readonly<Record<StatementName, Statement<SqlValue[]>>> {
  const prepared = Object.entries(statements).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries(prepared);
}

function metaOf(db: Database.Database, key: string): number | undefined {
  const value = db.prepare<[string], bigint>("SELECT value FROM meta WHERE key = ?").pluck().get(key);
  return value === undefined ? undefined : Number(value);
}

const putMeta = (db: Database.Database, key: string, value: number): void => void db.prepare(statements.putMeta).run(key, value);

/** Not worth refusing to start for on a full disk: what is lost is a check after a crash. */
function markOpen(db: Database.Database): void {
  try {
    putMeta(db, "clean", 0);
  } catch (error) {
    if (!isDiskFault(error)) throw error;
  }
}

function checkIntegrity(db: Database.Database, path: string): void {
  const found = db.pragma("quick_check(1)", { simple: true });
  if (found !== "ok") throw new StoreOpenError("corrupt", path, `${path} is damaged: ${String(found)}`);
}

/**
 * Moves the index, and that of everything that a poller may wait for, above what was handed out before the database was
 * put back from a backup.
 */
function continueAfterRestore(db: Database.Database, highWater: number): boolean {
  const index = metaOf(db, "index") ?? 0;
  if (highWater <= index) return false;
  const next = highWater + RESTORE_GAP;
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
