import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import { type Allocation, type DesiredAllocation, isClientTerminal, isDesiredTerminal } from "../model/allocation.js";
import { DESCRIPTION } from "../model/decision.js";
import type { Job } from "../model/job.js";
import { sameSpec } from "../model/job-diff.js";
import type { Node } from "../model/node.js";
import type { Change, StateStore } from "../store/state-store.js";
import { AllocIntake } from "./alloc-intake.js";
import { refuseWhenClosed } from "./closed.js";
import { DeploymentService } from "./deployment-service.js";
import { EvalRequests } from "./eval-requests.js";
import { newEvaluation } from "./evaluations.js";
import { JobEvaluator } from "./job-evaluator.js";
import { nextVersion } from "./job-version.js";
import { Rehearsal } from "./rehearsal.js";
import { ScaleService } from "./scale-service.js";
import { Scheduler, type SchedulerOptions } from "./scheduler.js";
import { SchedulerConfiguration } from "./scheduler-configuration.js";

export interface JobServiceDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** This host as it is now. */
  readonly node: () => Node;
  readonly options?: Partial<SchedulerOptions>;
}

export interface RegisterOptions {
  /** Register only when the job's JobModifyIndex is this one; 0 is a job that does not exist yet. */
  readonly enforceIndex?: number;
}

export interface DeregisterOptions {
  /** Also forget the job, and its allocations as soon as their tasks are gone. */
  readonly purge: boolean;
  readonly noShutdownDelay: boolean;
}

export interface StopOptions {
  readonly noShutdownDelay: boolean;
  /** Whether a batch allocation is replaced; those of services always are. */
  readonly reschedule: boolean;
}

const DEFAULTS: SchedulerOptions = {
  maxTerminalAllocs: 2_000,
  maxDeployments: 10,
  listeningPorts: () => new Set(),
  retryMs: 1_000,
};

/** What callers may ask of jobs and of the allocations that a control plane hands in. */
export class JobService {
  readonly #store: StateStore;
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #intake: AllocIntake;
  readonly #requests: EvalRequests;
  readonly deployments: DeploymentService;
  readonly scaling: ScaleService;
  readonly evaluator: JobEvaluator;
  readonly rehearsal: Rehearsal;
  readonly configuration: SchedulerConfiguration;

  constructor(deps: JobServiceDeps) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#scheduler = new Scheduler({ ...deps, options: { ...DEFAULTS, ...deps.options } });
    this.#intake = new AllocIntake({ store: deps.store, node: deps.node, scheduler: this.#scheduler });
    const parts = { store: deps.store, clock: deps.clock, scheduler: this.#scheduler };
    this.#requests = new EvalRequests(parts);
    this.deployments = new DeploymentService({ ...parts, requests: this.#requests });
    this.scaling = new ScaleService({ ...parts, requests: this.#requests });
    this.evaluator = new JobEvaluator({ ...parts, requests: this.#requests });
    this.rehearsal = new Rehearsal(parts);
    this.configuration = new SchedulerConfiguration(deps.store);
  }

  async start(): Promise<void> {
    await this.#scheduler.start();
  }

  async stop(): Promise<void> {
    await this.#scheduler.stop();
  }

  /** Resolves when all work that is known now is done. */
  async idle(): Promise<void> {
    await this.#scheduler.idle();
  }

  /**
   * Registers a job, and places what fits before it resolves. The same job again is evaluated again, without a new version.
   *
   * @throws AllocdError `conflict` when `enforceIndex` is not the job's index.
   */
  async register(job: Job, { enforceIndex }: RegisterOptions = {}) {
    const key = { namespace: job.Namespace, id: job.ID };
    return this.#scheduler.exclusive(key, async () => {
      refuseWhenClosed(this.#store);
      const known = this.#store.job(key.namespace, key.id);
      if (enforceIndex !== undefined) checkIndex(known, enforceIndex);
      const changes = known && sameSpec(known, job) ? [] : [this.#newVersion(job, known)];
      return {
        ...(await this.#evaluate(key, { ...job, JobModifyIndex: known?.JobModifyIndex ?? 0 }, "job-register", changes)),
        Warnings: "",
      };
    });
  }

  /**
   * Stops a job.
   *
   * @throws AllocdError `not-found` when there is no such job.
   */
  async deregister(namespace: string, id: string, { purge, noShutdownDelay }: DeregisterOptions) {
    const key = { namespace, id };
    return this.#scheduler.exclusive(key, async () => {
      const job = this.#store.job(namespace, id);
      if (!job) throw new AllocdError("not-found", "job not found");
      const stopped = (): Change[] => (job.Stop ? [] : [this.#newVersion({ ...job, Stop: true }, job)]);
      return this.#evaluate(key, job, "job-deregister", purge ? [{ kind: "job-delete", namespace, id }] : stopped(), { noShutdownDelay });
    });
  }

  /**
   * Stops one allocation and replaces it, without waiting for either. One that has ended already stays as it is.
   * Source: reference behaviour §8.
   *
   * @throws AllocdError `alloc-not-found`.
   */
  async stopAlloc(id: string, options: StopOptions) {
    const { Namespace: namespace, JobID } = this.#alloc(id);
    const key = { namespace, id: JobID };
    return this.#scheduler.exclusive(key, async () => {
      const alloc = this.#alloc(id);
      const patch = stopPatch(alloc, options);
      const changes: Change[] = patch ? [{ kind: "alloc-desired", id, patch }] : [];
      const { EvalID, Index } = alloc.Ingested
        ? await this.#record(alloc, changes)
        : await this.#evaluate(key, { ...alloc.Job, Namespace: namespace, ID: JobID }, "alloc-stop", changes);
      return { EvalID, Index };
    });
  }

  /** Takes a whole allocation from a control plane. */
  async putAllocation(id: string, input: unknown): Promise<{ readonly Index: number }> {
    return this.#intake.put(id, input);
  }

  /** Forgets an allocation that has ended. */
  async deleteAllocation(id: string): Promise<{ readonly Index: number }> {
    return this.#intake.delete(id);
  }

  #newVersion(job: Job, known: Job | undefined): Change {
    return nextVersion(job, known, this.#clock.now());
  }

  /** Commits the changes with a new evaluation, and works on that. */
  async #evaluate(
    key: { readonly namespace: string; readonly id: string },
    job: Job,
    trigger: "job-register" | "job-deregister" | "alloc-stop",
    changes: readonly Change[],
    options: { readonly noShutdownDelay?: boolean } = {},
  ) {
    return this.#requests.make(key, job, trigger, changes, options);
  }

  /** An evaluation of an allocation whose control plane decides what comes after it. */
  async #record(alloc: Allocation, changes: readonly Change[]) {
    const job = { ...alloc.Job, Namespace: alloc.Namespace, ID: alloc.JobID };
    const evaluation = newEvaluation(randomUUID(), job, "alloc-stop", this.#clock.now());
    const complete: Change = { kind: "eval", eval: { ...evaluation, Status: "complete", SnapshotIndex: this.#store.index } };
    return { EvalID: evaluation.ID, Index: await this.#store.commit([...changes, complete], { refusable: true }) };
  }

  #alloc(id: string): Allocation {
    const alloc = this.#store.alloc(id);
    if (!alloc) throw new AllocdError("alloc-not-found", "allocation not found");
    return alloc;
  }
}

function stopPatch(alloc: Allocation, { noShutdownDelay, reschedule }: StopOptions): Partial<DesiredAllocation> | null {
  if (isClientTerminal(alloc)) return null;
  // Whoever stopped it first said what comes after it; a later caller can only make it quicker.
  if (isDesiredTerminal(alloc))
    return noShutdownDelay ? { DesiredTransition: { ...alloc.DesiredTransition, NoShutdownDelay: true } } : null;
  const transition = { ...alloc.DesiredTransition, Migrate: true, NoShutdownDelay: noShutdownDelay, Reschedule: reschedule };
  return alloc.Ingested
    ? { DesiredTransition: transition, DesiredStatus: "stop", DesiredDescription: DESCRIPTION.migrating }
    : { DesiredTransition: transition };
}

/** Source: the texts of Nomad's job endpoint. */
function checkIndex(known: Job | undefined, wanted: number): void {
  const refuse = (why: string): never => {
    throw new AllocdError("conflict", `Enforcing job modify index ${wanted}: ${why}`);
  };
  if (!known) {
    if (wanted !== 0) refuse("job does not exist");
  } else if (wanted === 0) refuse("job already exists");
  else if (wanted !== known.JobModifyIndex) refuse(`job exists with conflicting job modify index: ${known.JobModifyIndex}`);
}
