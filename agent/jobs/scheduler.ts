import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { type DesiredAllocation, isClientTerminal } from "../model/allocation.js";
import { isSystem } from "../model/decision.js";
import { progressDeadline } from "../model/deployment-progress.js";
import type { Evaluation, EvaluationTrigger } from "../model/evaluation.js";
import { Usage } from "../model/fit.js";
import type { Job, JobType } from "../model/job.js";
import type { Node } from "../model/node.js";
import { preemptible } from "../model/preemption.js";
import { defaultSchedulerConfig, type PreemptionConfig } from "../model/scheduler-config.js";
import type { UnixNano } from "../model/units.js";
import type { Change, StateStore } from "../store/state-store.js";
import { Janitor } from "./janitor.js";
import { type JobKey, keyText, recordsOf } from "./job-key.js";
import { KeyedQueue } from "./keyed-queue.js";
import { planJob } from "./plan.js";
import type { Plan, PlanInput } from "./plan-input.js";
import { purgeRemains, type RetentionLimits, surplusDeployments } from "./retention.js";

export interface SchedulerOptions extends RetentionLimits {
  /** Ports that something outside the agent's allocations listens on; asked once for an evaluation that needs dynamic ports. */
  readonly listeningPorts: () => ReadonlySet<number>;
  /** How long to wait before a plan that the store refused is tried again, in milliseconds. */
  readonly retryMs: number;
}

export interface SchedulerDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: () => Node;
  readonly options: SchedulerOptions;
}

const PREEMPTS: Readonly<Record<JobType, keyof PreemptionConfig>> = {
  service: "ServiceSchedulerEnabled",
  batch: "BatchSchedulerEnabled",
  system: "SystemSchedulerEnabled",
  sysbatch: "SysBatchSchedulerEnabled",
};

/**
 * Drives every job to what it asks for: works on evaluations, and reacts to what happens to allocations. Work on one
 * job is serial; plans of different jobs see each other's placements before these are on disk.
 */
export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #queue = new KeyedQueue();
  readonly #janitor: Janitor;
  /** Placements and ingested allocations that are on their way to disk. */
  readonly #inFlight = new Map<string, DesiredAllocation>();
  /** Allocations that a plan on its way to disk makes give way. */
  readonly #evicting = new Set<string>();
  /** Jobs that something has happened to and that are queued for a look. */
  readonly #touched = new Map<string, EvaluationTrigger>();
  readonly #timers = new Map<string, AbortController>();
  readonly #sweeps = new Set<Promise<void>>();
  #sweepAsked = false;
  #unsubscribe: (() => void) | null = null;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    this.#janitor = new Janitor({ store: deps.store, queue: this.#queue, limits: deps.options });
  }

  /** Takes up whatever an earlier agent left: evaluations, timers and everything that happened while nobody looked. */
  async start(): Promise<void> {
    const { store } = this.#deps;
    this.#unsubscribe = store.watch.subscribe((changes) => this.#onChanges(changes));
    const keys = [
      ...store.jobs().map((job) => ({ namespace: job.Namespace, id: job.ID })),
      ...store.evals().map((e) => ({ namespace: e.Namespace, id: e.JobID })),
      ...store.allocs().map((a) => ({ namespace: a.Namespace, id: a.JobID })),
    ];
    for (const key of keys) this.#touch(key, "alloc-failure");
    this.#sweep();
    await this.idle();
  }

  /** Ends all timers and waits for what is being committed. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    await this.idle();
    for (const timer of this.#timers.values()) timer.abort();
    this.#timers.clear();
  }

  /** Resolves when all work that is known now is done. */
  async idle(): Promise<void> {
    await this.#queue.idle();
    await Promise.all(this.#sweeps);
  }

  /** Runs `work` while nothing else changes the job. */
  exclusive<T>(key: JobKey, work: () => Promise<T>): Promise<T> {
    return this.#queue.run(keyText(key), work);
  }

  /** Works on a committed evaluation, within `exclusive`. A refused plan is tried again later. */
  async evaluate(key: JobKey, evalId: string, options: { readonly noShutdownDelay?: boolean } = {}): Promise<void> {
    const evaluation = this.#deps.store.eval(evalId);
    if (evaluation?.Status !== "pending") return;
    await this.#attempt(key, async () => {
      await this.#apply(key, evaluation, options.noShutdownDelay ?? false);
      await this.#workOff(key);
      await this.#tidy(key);
    });
  }

  /** What the allocations of this host use, those on their way to disk included. */
  usage(): Usage {
    const { store } = this.#deps;
    const coming = [...this.#inFlight.values()].filter((a) => !store.alloc(a.ID)).map((a) => ({ ...a, ClientStatus: "pending" as const }));
    return Usage.of([...store.allocs(), ...coming]);
  }

  /** Commits changes that create allocations, whose resources are taken from this moment on. */
  async commitCreating(creates: readonly DesiredAllocation[], changes: readonly Change[]): Promise<number> {
    for (const alloc of creates) this.#inFlight.set(alloc.ID, alloc);
    try {
      return await this.#deps.store.commit(changes, { refusable: true });
    } finally {
      for (const alloc of creates) this.#inFlight.delete(alloc.ID);
    }
  }

  #onChanges(changes: readonly Change[]): void {
    let roomChanged = false;
    let mayForget = false;
    for (const change of changes) {
      if (change.kind === "scheduler-config") roomChanged = true;
      if (change.kind === "node") {
        roomChanged = true;
        for (const job of this.#deps.store.jobs()) if (isSystem(job)) this.#touch({ namespace: job.Namespace, id: job.ID }, "node-update");
      }
      if (change.kind === "eval" && change.eval.TriggeredBy === "preemption" && change.eval.Status === "pending")
        this.#touch({ namespace: change.eval.Namespace, id: change.eval.JobID }, "preemption");
      if (change.kind === "job" && change.job.Status === "dead") mayForget = true;
      if (change.kind !== "alloc-observed") continue;
      const alloc = this.#deps.store.alloc(change.id);
      if (!alloc) continue;
      const ended = change.patch.ClientStatus !== undefined && isClientTerminal(alloc);
      if (ended) roomChanged = mayForget = true;
      if (alloc.Ingested || (!ended && change.patch.DeploymentStatus === undefined)) continue;
      this.#touch({ namespace: alloc.Namespace, id: alloc.JobID }, ended ? "alloc-failure" : "deployment-watcher");
    }
    if (roomChanged) for (const e of this.#blocked()) this.#touch({ namespace: e.Namespace, id: e.JobID }, "queued-allocs");
    if (mayForget) this.#sweep();
  }

  #blocked(): readonly Evaluation[] {
    return this.#deps.store
      .evals()
      .filter((e) => e.Status === "blocked")
      .sort((a, b) => b.Priority - a.Priority || a.CreateIndex - b.CreateIndex);
  }

  /** Queues one look at the job, however much happens until it is its turn. */
  #touch(key: JobKey, trigger: EvaluationTrigger): void {
    const text = keyText(key);
    if (this.#touched.has(text)) return;
    this.#touched.set(text, trigger);
    void this.#queue.run(text, () => {
      this.#touched.delete(text);
      return this.#attempt(key, () => this.#look(key, trigger));
    });
  }

  async #look(key: JobKey, trigger: EvaluationTrigger): Promise<void> {
    await this.#workOff(key);
    const blocked = this.#deps.store.evalsOfJob(key.namespace, key.id).find((e) => e.Status === "blocked");
    await this.#apply(key, blocked ?? trigger);
    await this.#workOff(key);
    await this.#tidy(key);
  }

  /** Works on all evaluations of the job that are due, those that come up meanwhile among them. */
  async #workOff(key: JobKey): Promise<void> {
    const { store, clock } = this.#deps;
    const done = new Set<string>();
    const isDue = (e: Evaluation): boolean => e.Status === "pending" && !done.has(e.ID) && (e.WaitUntil ?? 0n) <= clock.now();
    for (;;) {
      const evaluation = store.evalsOfJob(key.namespace, key.id).find(isDue);
      if (!evaluation) return;
      done.add(evaluation.ID);
      await this.#apply(key, evaluation);
    }
  }

  /** What registering the job would come to. Nothing is changed. */
  rehearse(key: JobKey, job: Job, cause: Evaluation): Plan {
    return planJob({ ...this.#input(key, cause), job });
  }

  async #apply(key: JobKey, cause: Evaluation | EvaluationTrigger, noShutdownDelay = false): Promise<void> {
    const { clock, log } = this.#deps;
    const began = clock.monotonicMs();
    const plan = planJob(this.#input(key, cause, noShutdownDelay));
    if (!plan.changes.length) return;
    log.debug(
      { job: key.id, namespace: key.namespace, placed: plan.creates.length, changes: plan.changes.length, ms: clock.monotonicMs() - began },
      "plan",
    );
    const victims = plan.creates.flatMap((alloc) => alloc.PreemptedAllocations ?? []);
    for (const id of victims) this.#evicting.add(id);
    try {
      await this.commitCreating(plan.creates, plan.changes);
    } finally {
      for (const id of victims) this.#evicting.delete(id);
    }
  }

  #input(key: JobKey, cause: Evaluation | EvaluationTrigger, noShutdownDelay = false): PlanInput {
    const { store, clock, node, options } = this.#deps;
    let listening: ReadonlySet<number> | undefined;
    const portInUse = (port: number): boolean => {
      listening ??= options.listeningPorts();
      return listening.has(port);
    };
    const records = recordsOf(store, key);
    return {
      ...records,
      versions: store.jobVersions(key.namespace, key.id),
      preemptible: records.job ? this.#preemptible(records.job) : [],
      namespace: key.namespace,
      jobId: key.id,
      cause,
      node: node(),
      usage: this.usage(),
      now: clock.now(),
      index: store.index,
      noShutdownDelay,
      sources: { newId: randomUUID, random: Math.random, elapsedNs: () => Math.round(clock.monotonicMs() * 1e6), portInUse },
    };
  }

  #preemptible(job: Job): PlanInput["preemptible"] {
    const { store } = this.#deps;
    const { PreemptionConfig } = store.schedulerConfig() ?? defaultSchedulerConfig;
    if (!PreemptionConfig[PREEMPTS[job.Type]]) return [];
    return preemptible(job, store.allocs()).filter((a) => !this.#evicting.has(a.ID));
  }

  async #tidy(key: JobKey): Promise<void> {
    const records = recordsOf(this.#deps.store, key);
    const changes = [...purgeRemains(records), ...(records.job ? surplusDeployments(records.deployments, this.#deps.options) : [])];
    if (changes.length) await this.#deps.store.commit(changes, { refusable: true });
  }

  /** Keeps a refused write from being the end of it, and sets the job's timer anew. */
  async #attempt(key: JobKey, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#setTimer(key, this.#nextMoment(key));
    } catch (err) {
      this.#deps.log.error({ err, job: key.id, namespace: key.namespace }, "the job could not be evaluated; trying again");
      this.#setTimer(key, this.#deps.clock.now() + BigInt(Math.round(this.#deps.options.retryMs * 1e6)));
    }
  }

  #nextMoment(key: JobKey): UnixNano | null {
    const { store } = this.#deps;
    const moments = [
      ...store.evalsOfJob(key.namespace, key.id).flatMap((e) => (e.Status === "pending" ? (e.WaitUntil ?? 0n) : [])),
      ...store.deploymentsOfJob(key.namespace, key.id).flatMap((d) => progressDeadline(d) ?? []),
    ];
    return moments.reduce<UnixNano | null>((first, at) => (first === null || at < first ? at : first), null);
  }

  #setTimer(key: JobKey, at: UnixNano | null): void {
    const text = keyText(key);
    this.#timers.get(text)?.abort();
    this.#timers.delete(text);
    if (at === null || !this.#unsubscribe) return;
    const timer = new AbortController();
    this.#timers.set(text, timer);
    const ms = Math.max(1, Math.ceil(Number(at - this.#deps.clock.now()) / 1e6));
    void this.#deps.clock.sleep(ms, timer.signal).then(() => {
      if (!timer.signal.aborted) this.#touch(key, "deployment-watcher");
    });
  }

  /** Asks for one sweep, however often it is asked for before that begins. */
  #sweep(): void {
    if (this.#sweepAsked) return;
    this.#sweepAsked = true;
    const sweep = Promise.resolve()
      .then(() => {
        this.#sweepAsked = false;
        return this.#janitor.sweep();
      })
      .catch((err: unknown) => this.#deps.log.warn({ err }, "old records could not be deleted"))
      .finally(() => this.#sweeps.delete(sweep));
    this.#sweeps.add(sweep);
  }
}
