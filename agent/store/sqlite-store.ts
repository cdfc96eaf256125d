import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { StagedCommit } from "./commit-queue.js";
import { decodeHistoryRow, decodeState } from "./decode-rows.js";
import { encodeBatch } from "./encode-rows.js";
import { StoreOpenError } from "./errors.js";
import { HISTORY_PAGE } from "./history-reader.js";
import { JobCopies } from "./job-copies.js";
import { DEFAULT_STORE_LIMITS, type StoreLimits } from "./limits.js";
import type { IdleTimes, Opened } from "./protocol.js";
import type { HistoryQuery, HistoryRow } from "./state-store.js";
import { StoreThread } from "./store-thread.js";
import { TableStore } from "./table-store.js";
import { Tables } from "./tables.js";

export interface SqliteStoreOptions {
  /** Made with mode 0700 if it is not there. Its state.db, lock.db, lock.pid and high-water are the store's. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: Partial<StoreLimits>;
  readonly idle?: Partial<IdleTimes>;
  /** The compiled worker.ts, if it is not beside this file. */
  readonly workerUrl?: URL;
  /** Told when the store's thread is gone: nothing can be written any more, and the agent is better started anew. */
  readonly onFatal?: (error: Error) => void;
}

const defaultIdle: IdleTimes = { trimAfterMs: 250, checkpointAfterMs: 2_000 };

/** The store on disk: SQLite in a thread of its own. */
export class SqliteStore extends TableStore {
  readonly #thread: StoreThread;

  /**
   * Takes the directory, opens or makes the database and reads the state.
   *
   * @throws StoreOpenError when another agent has the directory, or the database is damaged, of a later version or not usable.
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
      store = new SqliteStore(thread, opened, limits, options);
      return store;
    } catch (error) {
      await thread.end();
      if (error instanceof StoreOpenError) throw error;
      const message = `${options.dir}: the state can not be read: ${(error as Error).message}`;
      throw new StoreOpenError("unusable", options.dir, message, { cause: error });
    }
  }

  private constructor(thread: StoreThread, opened: Opened, limits: StoreLimits, { clock, log, dir }: SqliteStoreOptions) {
    const jobCopies = new JobCopies();
    const tables = new Tables(decodeState(opened.rows, jobCopies));
    const write = async (batch: readonly StagedCommit[]): Promise<void> => {
      await thread.call("write", encodeBatch(batch, jobCopies));
    };
    super({ tables, write, clock, log, limits });
    this.#thread = thread;
    if (opened.unclean) log.warn({ dir }, "the state was not closed in order; it was checked and is whole");
    if (opened.restored) log.warn({ dir, index: this.index }, "the state is older than its directory: the index continues far ahead");
  }

  async history({ after = 0, limit, ...which }: HistoryQuery): Promise<readonly HistoryRow[]> {
    const rows: HistoryRow[] = [];
    while (rows.length < limit) {
      const wanted = Math.min(limit - rows.length, HISTORY_PAGE);
      const page = await this.#thread.call("history", { ...which, after: rows.at(-1)?.seq ?? after, limit: wanted });
      rows.push(...page.map(decodeHistoryRow));
      if (page.length < wanted) break;
    }
    return rows;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#thread.end();
  }

  #threadDied(error: Error, { log, onFatal }: SqliteStoreOptions): void {
    log.fatal({ err: error }, "the store's thread is gone");
    this.fail(error);
    onFatal?.(error);
  }
}
