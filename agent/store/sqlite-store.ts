import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { JsonSyntaxError } from "../model/json.js";
import { type BackupOptions, BackupSchedule, DEFAULT_BACKUPS } from "./backup-schedule.js";
import type { StagedCommit } from "./commit-queue.js";
import { decodeHistoryRow, decodeState } from "./decode-rows.js";
import { encodeBatch } from "./encode-rows.js";
import { DamageError, RowsError, StoreOpenError } from "./errors.js";
import { HISTORY_PAGE } from "./history-reader.js";
import { JobCopies } from "./job-copies.js";
import { DEFAULT_STORE_LIMITS, type StoreLimits } from "./limits.js";
import type { CallName, Calls, Durability, IdleTimes, Opened } from "./protocol.js";
import { type Repair, repairs } from "./quarantine.js";
import type { HistoryQuery, HistoryRow } from "./state-store.js";
import { StoreThread } from "./store-thread.js";
import { TableStore } from "./table-store.js";
import { Tables, type TablesSnapshot } from "./tables.js";

export interface SqliteStoreOptions {
  /** Made with mode 0700 if it is not there. All in it is the store's. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: Partial<StoreLimits>;
  readonly idle?: Partial<IdleTimes>;
  readonly backups?: Partial<BackupOptions>;
  /** Why the host can take no new work although the state can be written. */
  readonly hostFault?: () => string | null;
  /** The compiled worker.ts, if it is not beside this file. */
  readonly workerUrl?: URL;
  /** The compiled backup-worker.ts, if it is not beside this file. */
  readonly backupWorkerUrl?: URL;
  /**
   * Told when nothing can be written any more, as the store's thread is gone or the database is damaged: the agent is
   * better started anew.
   */
  readonly onFatal?: (error: Error) => void;
}

const defaultIdle: IdleTimes = { trimAfterMs: 250, checkpointAfterMs: 2_000 };

/** What the start has found of the state. */
export interface StartOfState {
  /** It is older than the directory it lies in: a backup, or what is left after a loss. */
  readonly isOlder: boolean;
  /** The index up to which it knows what has happened. */
  readonly knownIndex: number;
  /** What was done about a damaged database. */
  readonly repair: Repair | null;
  readonly durability: Durability;
}

/** The store on disk: SQLite in a thread of its own. */
export class SqliteStore extends TableStore {
  readonly start: StartOfState;
  readonly backups: BackupSchedule;
  readonly #thread: StoreThread;
  readonly #damaged: (error: DamageError) => void;
  readonly #repairs: readonly Repair[];

  /**
   * Takes the directory, opens or makes the database and reads the state. A damaged database is put aside, and the newest
   * good backup takes its place.
   *
   * @throws StoreOpenError when another agent has the directory, or the database is of a later version or not usable.
   */
  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    const limits = { ...DEFAULT_STORE_LIMITS, ...options.limits };
    let store: SqliteStore | undefined;
    const died = (error: Error): void => {
      if (store) store.#threadDied(error, options);
    };
    const thread = new StoreThread(options.workerUrl ?? new URL("./worker.js", import.meta.url), died);
    try {
      const opened = await thread.call("open", { dir: options.dir, limits, idle: { ...defaultIdle, ...options.idle } });
      store = new SqliteStore(thread, await readable(thread, opened), limits, options);
      store.backups.start();
      return store;
    } catch (error) {
      await thread.end();
      if (error instanceof StoreOpenError) throw error;
      const message = `${options.dir}: the state can not be read: ${(error as Error).message}`;
      throw new StoreOpenError("unusable", options.dir, message, { cause: error });
    }
  }

  private constructor(thread: StoreThread, { opened, state, jobCopies }: Readable, limits: StoreLimits, options: SqliteStoreOptions) {
    const { clock, log, dir, hostFault, onFatal } = options;
    const write = async (batch: readonly StagedCommit[]): Promise<void> => {
      if (batch.length === 0) await this.#call("probe", undefined);
      else await this.#call("write", encodeBatch(batch, jobCopies));
    };
    super({ tables: new Tables(state), write, clock, log, limits, ...(hostFault ? { hostFault } : {}) });
    this.#thread = thread;
    this.#damaged = (error) => {
      log.fatal({ err: error, dir }, "the database is damaged; the agent has to start anew");
      this.fail(error);
      onFatal?.(error);
    };
    this.start = { isOlder: opened.restored, knownIndex: opened.knownIndex, repair: opened.repair, durability: opened.durability };
    this.#repairs = repairs(dir);
    this.backups = new BackupSchedule({
      dir,
      clock,
      log,
      options: { ...DEFAULT_BACKUPS, ...options.backups },
      workerUrl: options.backupWorkerUrl ?? new URL("./backup-worker.js", import.meta.url),
      index: () => this.index,
    });
    if (opened.unclean) log.warn({ dir }, "the state was not closed in order; it was checked and is whole");
    if (opened.repair) log.error({ ...opened.repair }, "the database was damaged and is put aside");
    if (opened.restored) log.warn({ dir, index: this.index }, "the state is older than its directory: the index continues far ahead");
  }

  /** What an operator should look at although all goes on, in words. */
  get warnings(): readonly string[] {
    const { failure } = this.backups;
    return [...this.#repairs.map(repairText), ...(failure === null ? [] : [`the state could not be backed up: ${failure}`])];
  }

  async history({ after = 0, limit, ...which }: HistoryQuery): Promise<readonly HistoryRow[]> {
    const rows: HistoryRow[] = [];
    while (rows.length < limit) {
      const wanted = Math.min(limit - rows.length, HISTORY_PAGE);
      const page = await this.#call("history", { ...which, after: rows.at(-1)?.seq ?? after, limit: wanted });
      rows.push(...page.map(decodeHistoryRow));
      if (page.length < wanted) break;
    }
    return rows;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.backups.stop();
    await this.#thread.end();
  }

  async #call<Name extends CallName>(name: Name, args: Calls[Name]["args"]): Promise<Calls[Name]["result"]> {
    try {
      return await this.#thread.call(name, args);
    } catch (error) {
      if (error instanceof DamageError) this.#damaged(error);
      throw error;
    }
  }

  #threadDied(error: Error, { log, onFatal }: SqliteStoreOptions): void {
    log.fatal({ err: error }, "the store's thread is gone");
    this.fail(error);
    onFatal?.(error);
  }
}

interface Readable {
  readonly opened: Opened;
  readonly state: TablesSnapshot;
  readonly jobCopies: JobCopies;
}

/**
 * Reads what was opened. SQLite has no sums over what it stores, so that a text may be garbled in a database that it
 * takes for whole: then a backup takes its place too. Anything else that fails here is a defect of ours, for which no
 * database is given up.
 */
async function readable(thread: StoreThread, first: Opened): Promise<Readable> {
  for (let opened = first; ; ) {
    try {
      const jobCopies = new JobCopies();
      return { opened, state: decodeState(opened.rows, jobCopies), jobCopies };
    } catch (error) {
      if (!(error instanceof JsonSyntaxError || error instanceof RowsError)) throw error;
      opened = await thread.call("replace", error.message);
    }
  }
}

const repairText = ({ time, reason, quarantine, restored }: Repair): string =>
  `at ${time} the database was found to be damaged (${reason}) and ${restored === null ? "an empty one" : `the backup ${restored}`} took its place; ` +
  `remove ${quarantine} once you have looked at it`;
