import type { Database, Statement } from "better-sqlite3";
import type { EventRow } from "./protocol.js";
import type { HistoryQuery } from "./state-store.js";

/** Rows of one page: a longer answer is read as several, between which commits go on. */
export const HISTORY_PAGE = 1_000;

const select = "SELECT seq, alloc_id, task, run, time, type, body FROM task_events WHERE seq > ?";
const page = "ORDER BY seq LIMIT ?";

/** Reads pages of the event history. */
export class HistoryReader {
  readonly #all: Statement<[number, number], EventRow>;
  readonly #ofAlloc: Statement<[number, string, number], EventRow>;
  readonly #ofTask: Statement<[number, string, string, number], EventRow>;
  /** Looks through the rows of all allocations. */
  readonly #ofTaskName: Statement<[number, string, number], EventRow>;

  constructor(db: Database) {
    this.#all = db.prepare(`${select} ${page}`);
    this.#ofAlloc = db.prepare(`${select} AND alloc_id = ? ${page}`);
    this.#ofTask = db.prepare(`${select} AND alloc_id = ? AND task = ? ${page}`);
    this.#ofTaskName = db.prepare(`${select} AND task = ? ${page}`);
  }

  /** At most HISTORY_PAGE rows. */
  read({ allocId, task, after = 0, limit }: HistoryQuery): readonly EventRow[] {
    const rows = Math.min(limit, HISTORY_PAGE);
    if (allocId === undefined) return task === undefined ? this.#all.all(after, rows) : this.#ofTaskName.all(after, task, rows);
    return task === undefined ? this.#ofAlloc.all(after, allocId, rows) : this.#ofTask.all(after, allocId, task, rows);
  }
}
