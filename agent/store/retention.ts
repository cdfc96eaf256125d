import type { Database, Statement } from "better-sqlite3";
import { MAX_TASK_EVENTS } from "../model/task-state.js";
import type { StoreLimits } from "./limits.js";

/** Rows that one step looks at: some milliseconds of work even on a large history, so that a commit never waits long. */
const stepRows = 100;

/** What a read shows of a task that is still there comes from the history, so those rows stay. */
const isShown = `
  EXISTS (SELECT 1 FROM task_states s WHERE s.alloc_id = e.alloc_id AND s.task = e.task)
  AND (SELECT count(*) FROM (SELECT 1 FROM task_events n WHERE n.alloc_id = e.alloc_id AND n.task = e.task AND n.seq > e.seq
    LIMIT ${MAX_TASK_EVENTS})) < ${MAX_TASK_EVENTS}`;

/** Keeps the history of task events within its limits, in small steps. */
export class HistoryRetention {
  readonly #limits: Pick<StoreLimits, "historyRows" | "historyRowsPerAlloc">;
  readonly #count: Statement<[], bigint>;
  readonly #pageEnd: Statement<[bigint, number], bigint | null>;
  readonly #dropPage: Statement<[bigint, bigint]>;
  readonly #lastBeyond: Statement<[string, number], bigint>;
  readonly #dropOfAlloc: Statement<[string, bigint]>;
  /** Allocations with events since they were last looked at. */
  readonly #touched = new Set<string>();
  /** Counted in the first step: on a large history that takes longer than a start should. */
  #rows: number | undefined;
  #cursor = 0n;
  #exhausted = false;

  constructor(db: Database, limits: Pick<StoreLimits, "historyRows" | "historyRowsPerAlloc">) {
    this.#limits = limits;
    this.#count = db.prepare<[], bigint>("SELECT count(*) FROM task_events").pluck();
    this.#pageEnd = db
      .prepare<[bigint, number], bigint | null>("SELECT max(seq) FROM (SELECT seq FROM task_events WHERE seq > ? ORDER BY seq LIMIT ?)")
      .pluck();
    this.#dropPage = db.prepare(`DELETE FROM task_events AS e WHERE seq > ? AND seq <= ? AND NOT (${isShown})`);
    this.#lastBeyond = db
      .prepare<[string, number], bigint>("SELECT seq FROM task_events WHERE alloc_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?")
      .pluck();
    this.#dropOfAlloc = db.prepare(
      `DELETE FROM task_events WHERE seq IN (SELECT seq FROM task_events AS e WHERE alloc_id = ? AND seq <= ? AND NOT (${isShown}) LIMIT ${stepRows})`,
    );
  }

  /** Tells of a new event. */
  added(allocId: string): void {
    this.#touched.add(allocId);
    if (this.#rows !== undefined) this.#rows++;
    this.#exhausted = false;
  }

  /** Does a small part of the work. True when there is more. */
  step(): boolean {
    this.#rows ??= Number(this.#count.get() ?? 0n);
    return this.#stepOfAlloc() || this.#stepOfHost();
  }

  #stepOfAlloc(): boolean {
    const [allocId] = this.#touched;
    if (allocId === undefined) return false;
    const beyond = this.#lastBeyond.get(allocId, this.#limits.historyRowsPerAlloc);
    const dropped = beyond === undefined ? 0 : this.#dropOfAlloc.run(allocId, beyond).changes;
    this.#dropped(dropped);
    if (dropped < stepRows) this.#touched.delete(allocId);
    return true;
  }

  #stepOfHost(): boolean {
    const excess = (this.#rows ?? 0) - this.#limits.historyRows;
    if (this.#exhausted || excess <= 0) {
      this.#cursor = 0n;
      return false;
    }
    const end = this.#pageEnd.get(this.#cursor, Math.min(stepRows, excess)) ?? null;
    if (end === null) {
      // All that is left is shown.
      this.#exhausted = true;
      return false;
    }
    this.#dropped(this.#dropPage.run(this.#cursor, end).changes);
    this.#cursor = end;
    return true;
  }

  #dropped(rows: number): void {
    if (this.#rows !== undefined) this.#rows -= rows;
  }
}
