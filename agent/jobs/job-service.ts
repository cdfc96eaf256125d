import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import { type Allocation, type DesiredAllocation, isClientTerminal, isDesiredTerminal } from "../model/allocation.js";
import { DESCRIPTION } from "../model/decision.js";
import type { Job } from "../model/job.js";
import { sameSpec } from "../model/job-diff.js";
import { checkDrivers } from "../model/namespace.js";
import type { Node } from "../model/node.js";
import { isParent, isPeriodicActive } from "../model/parent-job.js";
import { sameJson } from "../model/same-json.js";
import type { Change, StateStore } from "../store/state-store.js";
import { AllocIntake } from "./alloc-intake.js";
import { refuseWhenClosed } from "./closed.js";
import { DeploymentService } from "./deployment-service.js";
import { Dispatcher, type DispatchRequest } from "./dispatch.js";
import { EvalRequests } from "./eval-requests.js";
import { newEvaluation } from "./evaluations.js";
import { Garbage } from "./garbage.js";
import { JobEvaluator } from "./job-evaluator.js";
import { JobLauncher } from "./job-launcher.js";
import { nextVersion } from "./job-version.js";
import { jobWarnings } from "./job-warnings.js";
import { Namespaces } from "./namespaces.js";
import { PeriodicJobs } from "./periodic-jobs.js";
import { Rehearsal } from "./rehearsal.js";
import { ScaleService } from "./scale-service.js";
import { Scheduler, type SchedulerOptions } from "./scheduler.js";
import { SchedulerConfiguration } from "./scheduler-configuration.js";
import { JobVersions } from "./versions.js";

export interface JobServiceDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** This host as it is now. */
  readonly node: () => Node;
  readonly options?: Partial<JobServiceOptions>;
}

export interface JobServiceOptions extends SchedulerOptions {
  readonly maxNamespaces: number;
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

const DEFAULTS: JobServiceOptions = {
  maxNamespaces: 1_000,
  maxTerminalAllocs: 2_000,
  maxDeadJobs: 2_000,
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
  readonly #dispatcher: Dispatcher;
  readonly #periodic: PeriodicJobs;
  readonly #versions: JobVersions;
  readonly #garbage: Garbage;
  readonly namespaces: Namespaces;
  readonly #requests: EvalRequests;
  readonly deployments: DeploymentService;
  readonly scaling: ScaleService;
  readonly evaluator: JobEvaluator;
  readonly rehearsal: Rehearsal;
  readonly configuration: SchedulerConfiguration;

  constructor(deps: JobServiceDeps) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    const options = { ...DEFAULTS, ...deps.options };
    this.#scheduler = new Scheduler({ ...deps, options });
    this.#intake = new AllocIntake({ store: deps.store, node: deps.node, scheduler: this.#scheduler });
    const parts = { store: deps.store, clock: deps.clock, log: deps.log, scheduler: this.#scheduler, retryMs: options.retryMs };
    const launcher = new JobLauncher(parts);
    this.#dispatcher = new Dispatcher({ ...parts, launcher });
    this.#periodic = new PeriodicJobs({ ...parts, launcher });
    this.#versions = new JobVersions(parts);
    this.#garbage = new Garbage(parts);
    this.namespaces = new Namespaces(deps.store, options.maxNamespaces);
    this.#requests = new EvalRequests(parts);
    this.deployments = new DeploymentService({ ...parts, requests: this.#requests });
    this.scaling = new ScaleService({ ...parts, requests: this.#requests });
    this.evaluator = new JobEvaluator({ ...parts, requests: this.#requests });
    this.rehearsal = new Rehearsal({ ...parts, nextLaunch: (job) => this.#periodic.next(job) });
    this.configuration = new SchedulerConfiguration(deps.store);
  }

  async start(): Promise<void> {
    await this.#scheduler.start();
    this.#periodic.start();
  }

  async stop(): Promise<void> {
    await this.#periodic.stop();
    await this.#scheduler.stop();
  }

  /** Resolves when all work that is known now is done. */
  async idle(): Promise<void> {
    await this.#periodic.idle();
    await this.#scheduler.idle();
  }

  /**
   * Registers a job, and places what fits before it resolves. The same job again is evaluated again, without a new version.
   *
   * A periodic or parameterized one is not evaluated: what runs is launched from it.
   *
   * @throws AllocdError `conflict` when `enforceIndex` is not the job's index, `invalid` for an unknown namespace;
   *   InvalidField for a driver that the namespace does not allow.
   */
  async register(job: Job, { enforceIndex }: RegisterOptions = {}) {
    const key = { namespace: job.Namespace, id: job.ID };
    return this.#scheduler.exclusive(key, async () => {
      refuseWhenClosed(this.#store);
      const known = this.#store.job(key.namespace, key.id);
      if (enforceIndex !== undefined) checkIndex(known, enforceIndex);
      const namespace = this.#store.namespace(job.Namespace);
      if (namespace) checkDrivers(namespace, job);
      const changes = known && sameSpec(known, job) ? [] : [nextVersion(job, known, this.#clock.now()), ...this.#seenTimes(job, known)];
      const subject = { ...job, JobModifyIndex: known?.JobModifyIndex ?? 0 };
      const result = this.#isToPlace(job) ? await this.#evaluate(key, subject, "job-register", changes) : await this.#put(key, changes);
      return { ...result, Warnings: jobWarnings(job) };
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
      const stopped = (): Change[] => (job.Stop ? [] : [nextVersion({ ...job, Stop: true }, job, this.#clock.now())]);
      const changes: Change[] = purge ? [{ kind: "job-delete", namespace, id }] : stopped();
      return this.#isToPlace(job) ? this.#evaluate(key, job, "job-deregister", changes, { noShutdownDelay }) : this.#put(key, changes);
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

  /** Registers an earlier version of a job again. Source: Nomad's Job.Revert. */
  async revert(namespace: string, id: string, version: number, priorVersion?: number) {
    const { job, index } = this.#versions.toRevertTo(namespace, id, version, priorVersion);
    return this.register(job, priorVersion === undefined ? {} : { enforceIndex: index });
  }

  /** Marks a version as one that an automatic revert may go back to. */
  setStable(namespace: string, id: string, version: number, stable: boolean) {
    return this.#versions.setStable(namespace, id, version, stable);
  }

  /** Launches a parameterized job. */
  dispatch(namespace: string, id: string, request: DispatchRequest) {
    return this.#dispatcher.dispatch(namespace, id, request);
  }

  /** Launches a periodic job now. */
  forcePeriodic(namespace: string, id: string) {
    return this.#periodic.force(namespace, id);
  }

  /** Removes what has ended and nothing depends on. */
  collectGarbage(): Promise<void> {
    return this.#garbage.collect();
  }

  /** A parent is looked at by the scheduler only when something of an earlier version of it is still there. */
  #isToPlace(job: Job): boolean {
    return !isParent(job) || this.#store.allocsOfJob(job.Namespace, job.ID).some((alloc) => !isClientTerminal(alloc));
  }

  /** The times of a periodic job count from now when they are new. */
  #seenTimes(job: Job, known: Job | undefined): readonly Change[] {
    const goesOn = known !== undefined && isPeriodicActive(known) && sameJson(known.Periodic, job.Periodic);
    if (!isPeriodicActive(job) || goesOn) return [];
    const launch = Number(this.#clock.now() / 1_000_000_000n);
    return [{ kind: "periodic-launch", namespace: job.Namespace, id: job.ID, launch }];
  }

  /** Commits the changes without an evaluation. */
  async #put(key: { readonly namespace: string; readonly id: string }, changes: readonly Change[]) {
    const known = this.#store.job(key.namespace, key.id);
    const Index = changes.length > 0 ? await this.#store.commit(changes, { refusable: true }) : (known?.ModifyIndex ?? 0);
    const JobModifyIndex = this.#store.job(key.namespace, key.id)?.JobModifyIndex ?? Index;
    return { EvalID: "", EvalCreateIndex: 0, JobModifyIndex, Index };
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
