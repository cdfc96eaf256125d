import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import type { UnixNano } from "../model/units.js";
import type { Effect } from "./effect.js";
import { DamageError, DiskError, StoreClosedError } from "./errors.js";
import type { StoreLimits } from "./limits.js";
import { checkCreations, effectsOf } from "./stamping.js";
import type { Change, CommitOptions } from "./state-store.js";
import { Tables } from "./tables.js";
import { mergeReports } from "./waiting-reports.js";

/** A commit whose effects are known, on its way to the disk. */
export interface StagedCommit {
  readonly index: number;
  readonly effects: readonly Effect[];
}

interface Commit {
  readonly index: number;
  readonly time: UnixNano;
  readonly changes: readonly Change[];
  readonly refusable: boolean;
  readonly resolve: (index: number) => void;
  readonly reject: (error: unknown) => void;
  /** The changes that came to something, and what they came to. */
  effective: readonly Change[];
  effects: readonly Effect[];
}

export interface CommitQueueDeps {
  /** What is visible. Only the queue changes it. */
  readonly tables: Tables;
  /**
   * Writes a batch in one transaction. An empty batch tries whether the disk takes writes again.
   *
   * @throws DiskError when the same batch may succeed later.
   */
  readonly write: (batch: readonly StagedCommit[]) => Promise<void>;
  /** Called after the effects of a commit were applied to the tables. */
  readonly published: (changes: readonly Change[], effects: readonly Effect[], index: number) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: StoreLimits;
  /** Why the host can take no new work although the state can be written. */
  readonly hostFault?: () => string | null;
}

/** Changes in one transaction: so that the message to the store thread and the time until the first is visible stay small. */
const maxBatchChanges = 5_000;
const firstRetryMs = 100;
const lastRetryMs = 5_000;
/** A write that takes longer is a disk that does not answer. */
const stallMs = 10_000;

/**
 * One ordered way to the disk, with group commit. While a batch is written further commits queue and become the next batch.
 *
 * There are two tables: the visible one, and the staged one, which is ahead of it by exactly the queue's effects. Changes
 * are worked out against the staged one, so each sees those before it; when a commit is refused, the staged one is made
 * anew from the visible one and what is left of the queue.
 */
export class CommitQueue {
  readonly #deps: CommitQueueDeps;
  #staged: Tables;
  #index: number;
  #queue: Commit[] = [];
  #queuedChanges = 0;
  /** On its way to the disk. */
  #writing: readonly Commit[] = [];
  /** So many changes may wait until reports are put together again. */
  #mergeAbove: number;
  #draining: Promise<void> | undefined;
  #degraded: string | null = null;
  #retryMs = firstRetryMs;
  /** Whoever writes is gone for good. */
  #gone: StoreClosedError | undefined;
  /** Batches that are to hold one commit only, to find the one that can not be written. */
  #singly = 0;
  readonly #closing = new AbortController();

  constructor(deps: CommitQueueDeps) {
    this.#deps = deps;
    this.#staged = new Tables(deps.tables.snapshot());
    this.#index = deps.tables.index;
    this.#mergeAbove = deps.limits.maxWaiting;
  }

  get degraded(): string | null {
    return this.#degraded;
  }

  commit(changes: readonly Change[], { refusable = false, above = 0 }: CommitOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) return reject(new StoreClosedError("the store is closed"));
      if (refusable) this.#checkRoom(changes);
      this.#index = Math.max(this.#index, above);
      const time = this.#deps.clock.now();
      const commit: Commit = { index: ++this.#index, time, changes, refusable, resolve, reject, effective: [], effects: [] };
      if (!this.#stage(commit)) return;
      this.#queue.push(commit);
      this.#queuedChanges += changes.length;
      if (this.#degraded !== null && this.#queuedChanges > this.#mergeAbove) this.#merge();
      this.#draining ??= this.#drain();
    });
  }

  /** Writes what is queued; what the disk refuses even now is rejected. */
  async close(): Promise<void> {
    this.#closing.abort("over");
    await this.#draining;
  }

  /** Rejects everything, now and later: whoever writes is gone for good. */
  fail(error: Error): void {
    this.#degraded = error.message;
    this.#closing.abort("over");
    this.#gone = new StoreClosedError(error.message, { cause: error });
    for (const commit of this.#queue.splice(0)) this.#refuse(commit, this.#gone);
  }

  #checkRoom(changes: readonly Change[]): void {
    if (this.#degraded !== null) throw new AllocdError("degraded", `the state can not be written: ${this.#degraded}`);
    const fault = changes.some(isNewWork) ? (this.#deps.hostFault?.() ?? null) : null;
    if (fault !== null) throw new AllocdError("degraded", `no new work is taken: ${fault}`);
    const { maxQueued } = this.#deps.limits;
    if (this.#queuedChanges + changes.length > maxQueued) {
      throw new AllocdError("degraded", `${this.#queuedChanges} changes wait for the disk and ${maxQueued} may: try again later`);
    }
  }

  /** False when the commit was rejected. */
  #stage(commit: Commit): boolean {
    try {
      checkCreations(commit.changes, this.#staged);
    } catch (error) {
      commit.reject(error);
      return false;
    }
    const effects: Effect[] = [];
    commit.effective = commit.changes.filter((change) => {
      const ofChange = effectsOf(change, this.#staged, commit, this.#deps.limits);
      for (const effect of ofChange) this.#staged.apply(effect, commit.index);
      effects.push(...ofChange);
      return ofChange.length > 0;
    });
    commit.effects = effects;
    return true;
  }

  #restage(commits: readonly Commit[]): void {
    this.#staged = new Tables(this.#deps.tables.snapshot());
    for (const { effects, index } of this.#writing) for (const effect of effects) this.#staged.apply(effect, index);
    this.#queue = commits.filter((commit) => this.#stage(commit));
    this.#queuedChanges = [...this.#writing, ...this.#queue].reduce((sum, commit) => sum + commit.changes.length, 0);
  }

  /** What waits for a disk that takes nothing must not grow with the time that takes. */
  #merge(): void {
    const before = this.#queuedChanges;
    const { commits, droppedEvents } = mergeReports(this.#queue);
    this.#restage(commits);
    this.#mergeAbove = Math.max(this.#deps.limits.maxWaiting, this.#queuedChanges * 2);
    this.#deps.log.warn(
      { waited: before, left: this.#queuedChanges, droppedEvents },
      "too many changes wait for the disk: the latest state of each allocation is kept",
    );
  }

  async #drain(): Promise<void> {
    // Whoever commits in the same turn of the event loop shares the transaction.
    await Promise.resolve();
    while (this.#queue.length > 0 || (this.#degraded !== null && !this.#closing.signal.aborted)) {
      const batch = this.#take();
      this.#writing = batch;
      const answered = new AbortController();
      void this.#deps.clock.sleep(stallMs, answered.signal).then(() => answered.signal.aborted || this.#stalled());
      try {
        await this.#deps.write(batch);
      } catch (error) {
        this.#writing = [];
        await this.#failed(batch, error);
        continue;
      } finally {
        answered.abort("over");
      }
      this.#writing = [];
      this.#recovered();
      for (const commit of batch) this.#publish(commit);
    }
    this.#draining = undefined;
  }

  #take(): readonly Commit[] {
    if (this.#singly > 0) {
      this.#singly--;
      return this.#queue.splice(0, 1);
    }
    let count = 0;
    for (let changes = 0; count < this.#queue.length && changes < maxBatchChanges; count++) {
      changes += this.#queue[count]?.changes.length ?? 0;
    }
    return this.#queue.splice(0, count);
  }

  #publish(commit: Commit): void {
    const { tables, published } = this.#deps;
    for (const effect of commit.effects) tables.apply(effect, commit.index);
    tables.advance(commit.index);
    this.#queuedChanges -= commit.changes.length;
    published(commit.effective, commit.effects, commit.index);
    commit.resolve(commit.index);
  }

  async #failed(batch: readonly Commit[], error: unknown): Promise<void> {
    if (error instanceof DamageError) this.fail(error);
    if (this.#gone) {
      for (const commit of batch) this.#refuse(commit, this.#gone);
      return;
    }
    if (error instanceof DiskError) return this.#diskFailed([...batch, ...this.#queue], error);
    if (batch.length > 1) {
      this.#singly = batch.length;
      this.#queue.unshift(...batch);
      return;
    }
    this.#deps.log.error({ err: error }, "a change of state can not be written and is given up");
    for (const commit of batch) this.#refuse(commit, error);
    this.#restage(this.#queue);
  }

  async #diskFailed(commits: readonly Commit[], error: DiskError): Promise<void> {
    this.#degrade(error.message, error);
    const closing = this.#closing.signal;
    this.#restage(commits.filter((commit) => !this.#refuseIf(commit.refusable || closing.aborted, commit, error)));
    if (closing.aborted) return;
    await this.#deps.clock.sleep(this.#retryMs, closing);
    this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
  }

  /** The disk has not said no, but nobody is kept waiting for it who can be refused. */
  #stalled(): void {
    const error = new DiskError(`the disk has not answered for ${stallMs / 1000} s`);
    this.#degrade(error.message, error);
    this.#restage(this.#queue.filter((commit) => !this.#refuseIf(commit.refusable, commit, error)));
  }

  #degrade(reason: string, error: DiskError): void {
    if (this.#degraded === null) this.#deps.log.error({ err: error }, "the state can not be written; changes wait");
    this.#degraded = reason;
  }

  #refuseIf(isRefused: boolean, commit: Commit, error: DiskError): boolean {
    if (isRefused) this.#refuse(commit, new AllocdError("degraded", `the state can not be written: ${error.message}`, { cause: error }));
    return isRefused;
  }

  #recovered(): void {
    if (this.#degraded === null || this.#closing.signal.aborted) return;
    this.#deps.log.info({ waiting: this.#queue.length }, "the state can be written again");
    this.#degraded = null;
    this.#retryMs = firstRetryMs;
    this.#mergeAbove = this.#deps.limits.maxWaiting;
  }

  #refuse(commit: Commit, error: unknown): void {
    this.#queuedChanges -= commit.changes.length;
    commit.reject(error);
  }
}

/** What would have the host run more than it does. */
const isNewWork = (change: Change): boolean => change.kind === "alloc-create" || (change.kind === "job" && change.spec && !change.job.Stop);
