/** How much the store keeps. Whatever is beyond is dropped, oldest first. */
export interface StoreLimits {
  /** Changes that may wait for the disk before commits that may be refused are. */
  readonly maxQueued: number;
  /**
   * Changes that may wait while the disk takes none. Beyond it the reports of one allocation are put together: its latest
   * state is kept, and of each task the latest 10 events.
   */
  readonly maxWaiting: number;
  /** Versions of a job, the current one included. */
  readonly jobVersions: number;
  /** Evaluations that are complete, failed or canceled. */
  readonly completedEvals: number;
  /** Ids of removed allocations. */
  readonly tombstones: number;
  /** Task events of the whole host. The latest 10 of a task that is still there are never dropped. */
  readonly historyRows: number;
  /** Task events of one allocation. */
  readonly historyRowsPerAlloc: number;
}

export const DEFAULT_STORE_LIMITS: StoreLimits = {
  maxQueued: 100_000,
  maxWaiting: 10_000,
  jobVersions: 6,
  completedEvals: 5_000,
  tombstones: 10_000,
  historyRows: 1_000_000,
  historyRowsPerAlloc: 10_000,
};
