import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import { CronTimes } from "../model/cron.js";
import type { Job } from "../model/job.js";
import { isPeriodicActive, periodicChildId, periodicOf } from "../model/parent-job.js";
import type { Change, StateStore } from "../store/state-store.js";
import { refuseWhenClosed } from "./closed.js";
import { type JobKey, keyText } from "./job-key.js";
import type { JobLauncher, Launch } from "./job-launcher.js";
import type { Scheduler } from "./scheduler.js";

export interface PeriodicJobsDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly launcher: JobLauncher;
  readonly scheduler: Pick<Scheduler, "exclusive">;
  /** How long to wait before a launch that failed is tried again, in milliseconds. */
  readonly retryMs: number;
}

/** A wall clock that is set, or a host that was asleep, is noticed at the latest after so many milliseconds. */
const longestSleepMs = 15_000;
/** What was launched by a clock that ran further ahead than this, in seconds, says nothing about when to launch next. */
const maxAheadSeconds = 24 * 3600;

interface Tracked {
  readonly key: JobKey;
  readonly job: Job;
  readonly times: CronTimes;
}

/**
 * Launches periodic jobs at their times. The second up to which a job's times were seen to is on disk, written together
 * with the child that it led to: so no time is launched twice or forgotten, whenever an agent ends. Of the times that went
 * by while nobody looked, one is made up for.
 */
export class PeriodicJobs {
  readonly #deps: PeriodicJobsDeps;
  readonly #tracked = new Map<string, Tracked>();
  /** Launches that are under way. */
  readonly #launching = new Map<string, Promise<void>>();
  /** When a launch that failed is tried again, in milliseconds of the monotonic clock. */
  readonly #retries = new Map<string, number>();
  #unsubscribe: (() => void) | null = null;
  #wake = new AbortController();
  #ended = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(deps: PeriodicJobsDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { store } = this.#deps;
    this.#ended = new AbortController();
    this.#unsubscribe = store.watch.subscribe((changes) => this.#onChanges(changes));
    for (const job of store.jobs()) this.#track({ namespace: job.Namespace, id: job.ID });
    this.#loop = this.#run();
  }

  /** Waits for launches that are being committed. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#ended.abort();
    this.#wake.abort();
    await this.#loop;
    await this.idle();
    this.#tracked.clear();
    this.#retries.clear();
  }

  /** Resolves when the launches that are due now are done. */
  async idle(): Promise<void> {
    await Promise.all(this.#launching.values());
  }

  /** When a job is launched next, in Unix seconds. */
  next(job: Job): number | undefined {
    return isPeriodicActive(job) ? timesOf(job)?.next(this.#seenTo(job) ?? this.#now()) : undefined;
  }

  /**
   * Launches a job now, whatever its times say and whether or not an earlier launch of it still runs.
   *
   * @throws AllocdError `not-found`, or `invalid` for a job whose times are not kept.
   */
  force(namespace: string, id: string): Promise<Launch> {
    const { store, scheduler } = this.#deps;
    return scheduler.exclusive({ namespace, id }, async () => {
      refuseWhenClosed(store);
      const job = store.job(namespace, id);
      if (!job) throw new AllocdError("not-found", "job not found");
      if (!periodicOf(job)) throw new AllocdError("invalid", "can't force launch non-periodic job");
      if (!isPeriodicActive(job)) throw new AllocdError("invalid", `can't force run non-tracked job ${id} (${namespace})`);
      // A second that has passed: so a time that is still to come keeps its own name.
      let launch = this.#now();
      while (store.job(namespace, periodicChildId(id, launch))) launch--;
      return this.#launch(job, launch, []);
    });
  }

  #onChanges(changes: readonly Change[]): void {
    let moved = false;
    for (const change of changes) {
      if (change.kind === "job") moved = this.#track({ namespace: change.job.Namespace, id: change.job.ID }) || moved;
      if (change.kind === "job-delete") moved = this.#tracked.delete(keyText(change)) || moved;
      if (change.kind === "periodic-launch") moved = true;
    }
    if (moved) this.#wake.abort();
  }

  #track(key: JobKey): boolean {
    const text = keyText(key);
    const job = this.#deps.store.job(key.namespace, key.id);
    const before = this.#tracked.get(text);
    const times = job && isPeriodicActive(job) ? timesOf(job) : undefined;
    if (!job || !times) return this.#tracked.delete(text);
    this.#tracked.set(text, { key, job, times });
    return before?.job.Version !== job.Version;
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#ended.signal.aborted) {
      this.#wake = new AbortController();
      const sleep = this.#lookAtAll();
      await clock.sleep(sleep, this.#wake.signal);
    }
  }

  /** Starts what is due. @returns how long nothing else is, in milliseconds. */
  #lookAtAll(): number {
    const nowMs = Number(this.#deps.clock.now() / 1_000_000n);
    let sleep = longestSleepMs;
    for (const [text, { key, job, times }] of this.#tracked) {
      if (this.#launching.has(text)) continue;
      const seenTo = this.#seenTo(job);
      const due = seenTo === undefined ? 0 : times.next(seenTo);
      if (due === undefined) continue;
      const left = Math.max(due * 1000 - nowMs, (this.#retries.get(text) ?? 0) - this.#deps.clock.monotonicMs());
      if (left > 0) sleep = Math.min(sleep, left);
      else this.#begin(text, key);
    }
    return sleep;
  }

  #begin(text: string, key: JobKey): void {
    const launching = this.#deps.scheduler
      .exclusive(key, () => this.#launchDue(key))
      .then(() => void this.#retries.delete(text))
      .catch((err: unknown) => {
        this.#deps.log.error({ err, job: key.id, namespace: key.namespace }, "a periodic job could not be launched; trying again");
        this.#retries.set(text, this.#deps.clock.monotonicMs() + this.#deps.retryMs);
      })
      .finally(() => {
        this.#launching.delete(text);
        this.#wake.abort();
      });
    this.#launching.set(text, launching);
  }

  /** With the job's lock held: looks again, as it may have changed. */
  async #launchDue({ namespace, id }: JobKey): Promise<void> {
    const { store, log } = this.#deps;
    const job = store.job(namespace, id);
    if (!job || !isPeriodicActive(job)) return;
    const now = this.#now();
    const seenTo = this.#seenTo(job);
    const due = seenTo === undefined ? undefined : timesOf(job)?.next(seenTo);
    if (seenTo !== undefined && (due === undefined || due > now)) return;
    const seen: Change = { kind: "periodic-launch", namespace, id, launch: Math.max(due ?? now, now) };
    if (due === undefined) return void (await store.commit([seen], { refusable: true }));
    const known = store.job(namespace, periodicChildId(id, due)) !== undefined;
    const overlaps = periodicOf(job)?.ProhibitOverlap === true && isRunning(store, job);
    if (overlaps) log.info({ job: id, namespace, due }, "not launched: an earlier launch still runs");
    if (known || overlaps) await store.commit([seen], { refusable: true });
    else await this.#launch(job, due, [seen]);
  }

  #launch(job: Job, launch: number, more: readonly Change[]): Promise<Launch> {
    const ID = periodicChildId(job.ID, launch);
    const child: Job = { ...job, ID, Name: ID, ParentID: job.ID, Periodic: null };
    return this.#deps.launcher.launch(child, "periodic-job", more);
  }

  /** Undefined when nothing is known that helps: a clock that was far ahead once must not keep a job from running for so long. */
  #seenTo(job: Job): number | undefined {
    const launch = this.#deps.store.periodicLaunch(job.Namespace, job.ID);
    return launch === undefined || launch > this.#now() + maxAheadSeconds ? undefined : launch;
  }

  #now(): number {
    return Number(this.#deps.clock.now() / 1_000_000_000n);
  }
}

const parsed = new WeakMap<object, CronTimes | null>();

/** Undefined for a block of an earlier version that can not be read. */
function timesOf(job: Job): CronTimes | undefined {
  const periodic = periodicOf(job);
  if (!periodic) return undefined;
  let times = parsed.get(periodic);
  if (times === undefined) {
    try {
      times = new CronTimes(periodic);
    } catch {
      times = null;
    }
    parsed.set(periodic, times);
  }
  return times ?? undefined;
}

const isRunning = (store: StateStore, parent: Job): boolean =>
  store
    .childrenOfJob(parent.Namespace, parent.ID)
    .some((child) => child.ID.startsWith(`${parent.ID}/periodic-`) && child.Status !== "dead");
