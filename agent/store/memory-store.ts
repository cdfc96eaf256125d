import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { StagedCommit } from "./commit-queue.js";
import { DEFAULT_STORE_LIMITS, type StoreLimits } from "./limits.js";
import type { HistoryQuery, HistoryRow } from "./state-store.js";
import { TableStore } from "./table-store.js";
import { Tables } from "./tables.js";

export interface MemoryStoreDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: Partial<StoreLimits>;
  readonly hostFault?: () => string | null;
}

/** The store without a disk, for tests: commits become visible later and in order, as they do with one. */
export class MemoryStore extends TableStore {
  readonly #rows: HistoryRow[];

  /** @param beforeWrite called where the disk would be written; it may wait or throw. */
  constructor(deps: MemoryStoreDeps, beforeWrite: () => Promise<void> = async () => {}) {
    const limits = { ...DEFAULT_STORE_LIMITS, ...deps.limits };
    const rows: HistoryRow[] = [];
    let seq = 0;
    const write = async (batch: readonly StagedCommit[]): Promise<void> => {
      await beforeWrite();
      for (const effect of batch.flatMap((commit) => commit.effects)) {
        if (effect.kind !== "alloc") continue;
        for (const { task, run, event } of effect.events) rows.push({ seq: ++seq, allocId: effect.alloc.ID, task, run, event });
      }
      if (rows.length > limits.historyRows) rows.splice(0, rows.length - limits.historyRows);
    };
    super({ ...deps, tables: new Tables(), write, limits });
    this.#rows = rows;
  }

  async history({ allocId, task, after = 0, limit }: HistoryQuery): Promise<readonly HistoryRow[]> {
    const matches = (row: HistoryRow): boolean =>
      row.seq > after && (allocId === undefined || row.allocId === allocId) && (task === undefined || row.task === task);
    return this.#rows.filter(matches).slice(0, limit);
  }
}
