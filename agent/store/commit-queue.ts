import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import type { UnixNano } from "../model/units.js";
import type { Effect } from "./effect.js";
import { DiskError } from "./errors.js";
import type { StoreLimits } from "./limits.js";
import { checkCreations, effectsOf } from "./stamping.js";
import type { Change } from "./state-store.js";
import { Tables } from "./tables.js";

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
}

/** Changes in one transaction: so that the message to the store thread and the time until the first is visible stay small. */
const maxBatchChanges = 5_000;
const firstRetryMs = 100;
const lastRetryMs = 5_000;

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
  #draining: Promise<void> | undefined;
  #degraded: string | null = null;
  #retryMs = firstRetryMs;
  /** Batches that are to hold one commit only, to find the one that can not be written. */
  #singly = 0;
  readonly #closing = new AbortController();

  constructor(deps: CommitQueueDeps) {
    this.#deps = deps;
    this.#staged = new Tables(deps.tables.snapshot());
    this.#index = deps.tables.index;
  }

  get degraded(): string | null {
    return this.#degraded;
  }

  commit(changes: readonly Change[], refusable: boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) return reject(new Error("the store is closed"));
      if (refusable) this.#checkRoom(changes.length);
      const time = this.#deps.clock.now();
      const commit: Commit = { index: ++this.#index, time, changes, refusable, resolve, reject, effective: [], effects: [] };
      if (!this.#stage(commit)) return;
      this.#queue.push(commit);
      this.#queuedChanges += changes.length;
      this.#draining ??= this.#drain();
    });
  }

  /** Writes what is queued; what the disk refuses even now is rejected. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#draining;
  }

  /** Rejects everything, now and later: whoever writes is gone for good. */
  fail(error: Error): void {
    this.#degraded = error.message;
    this.#closing.abort();
    for (const commit of this.#queue.splice(0)) this.#refuse(commit, error);
  }

  #checkRoom(more: number): void {
    if (this.#degraded !== null) throw new AllocdError("degraded", `the state can not be written: ${this.#degraded}`);
    const { maxQueued } = this.#deps.limits;
    if (this.#queuedChanges + more > maxQueued) {
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
    this.#queue = commits.filter((commit) => this.#stage(commit));
    this.#queuedChanges = this.#queue.reduce((sum, commit) => sum + commit.changes.length, 0);
  }

  async #drain(): Promise<void> {
    // Whoever commits in the same turn of the event loop shares the transaction.
    await Promise.resolve();
    while (this.#queue.length > 0 || (this.#degraded !== null && !this.#closing.signal.aborted)) {
      const batch = this.#take();
      try {
        await this.#deps.write(batch);
      } catch (error) {
        await this.#failed(batch, error);
        continue;
      }
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
    if (this.#degraded === null) this.#deps.log.error({ err: error }, "the state can not be written; changes wait");
    this.#degraded = error.message;
    const closing = this.#closing.signal;
    const refused = commits.filter((commit) => commit.refusable || closing.aborted);
    for (const commit of refused) {
      this.#refuse(commit, new AllocdError("degraded", `the state can not be written: ${error.message}`, { cause: error }));
    }
    this.#restage(commits.filter((commit) => !refused.includes(commit)));
    if (closing.aborted) return;
    await this.#deps.clock.sleep(this.#retryMs, closing);
    this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
  }

  #recovered(): void {
    if (this.#degraded === null) return;
    this.#deps.log.info("the state can be written again");
    this.#degraded = null;
    this.#retryMs = firstRetryMs;
  }

  #refuse(commit: Commit, error: unknown): void {
    this.#queuedChanges -= commit.changes.length;
    commit.reject(error);
  }
}
