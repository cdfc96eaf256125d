import type { TaskRun } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { CheckSummary } from "../model/alloc-health.js";
import type { Allocation } from "../model/allocation.js";
import { type Lookup, nodeLookup, taskLookup } from "../model/interpolate.js";
import type { Service, TaskGroup } from "../model/job.js";
import type { Node } from "../model/node.js";
import { type NewRegistration, registrationOf, type ServiceScope } from "../model/service-registration.js";
import type { Env } from "../model/task-env.js";
import { hookFailed } from "../model/task-events.js";
import type { TaskEvent } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";
import type { Slots } from "../slots.js";
import type { StateStore } from "../store/state-store.js";
import { AllocChecks, type CheckResult } from "./alloc-checks.js";
import { Registrar } from "./registrar.js";
import { probeOf } from "./service-probe.js";

export interface AllocServicesDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: () => Node;
  readonly slots: Slots;
  /** The variables of a task, or with null those that all tasks of the group have. */
  readonly env: (alloc: Allocation, group: TaskGroup, task: string | null) => Env;
  /** How the checks stand together has changed. */
  readonly changed: () => void;
  /** Restarts a task, or all that run, as the restart policy allows. */
  readonly restart: (task: string | null, reason: string) => void;
  readonly emit: (task: string, event: (at: UnixNano) => TaskEvent) => void;
}

/** A full disk must not keep a task from being stopped. */
const patienceMs = 1_000;

/**
 * The services of one allocation and their checks. A task's are there while the task runs, the group's while one of its
 * main tasks does, or the one that the service names. What an earlier agent has registered stays until it is known which
 * tasks go on.
 */
export class AllocServices {
  readonly #deps: AllocServicesDeps;
  readonly #registrar: Registrar;
  readonly #checks: AllocChecks;
  readonly #runs = new Map<string, TaskRun>();
  readonly #lookups = new Map<string | null, Lookup>();
  /** Tasks whose runs have been told that a service of theirs has no address. */
  readonly #told = new Set<string>();
  #alloc: Allocation;
  #group: TaskGroup;
  #isRecovered = false;
  /** Nobody is to be sent to the group any more, though its tasks run. */
  #isWithdrawn = false;
  #isOver = false;

  constructor(deps: AllocServicesDeps, alloc: Allocation, group: TaskGroup) {
    this.#deps = deps;
    this.#alloc = alloc;
    this.#group = group;
    this.#registrar = new Registrar({ store: deps.store, log: deps.log, allocId: alloc.ID });
    this.#checks = new AllocChecks(
      {
        clock: deps.clock,
        slots: deps.slots,
        probe: (service, check, owner, run) => probeOf(service, check, this.#scope(owner), run),
        lookup: (owner) => this.#lookup(owner),
        changed: deps.changed,
        restart: deps.restart,
      },
      alloc,
      group,
    );
  }

  /** Null when there are no checks. */
  get summary(): CheckSummary | null {
    return this.#checks.summary;
  }

  get results(): Readonly<Record<string, CheckResult>> | null {
    return this.#checks.results;
  }

  /** @throws AddressError when a service of the group can not be found anywhere. */
  requireAddresses(): void {
    for (const service of this.#group.Services ?? []) {
      try {
        registrationOf(service, this.#scope(null));
      } catch (error) {
        throw new Error(`unable to get address for service "${service.Name}": ${(error as Error).message}`, { cause: error });
      }
    }
  }

  /** It is known which tasks of an earlier agent go on. */
  recovered(): void {
    this.#isRecovered = true;
    void this.#sync();
  }

  /** The allocation is wanted otherwise, without a restart. */
  update(alloc: Allocation, group: TaskGroup): void {
    this.#alloc = alloc;
    this.#group = group;
    this.#lookups.clear();
    this.#checks.update(alloc, group);
    void this.#sync();
  }

  started(task: string, run: TaskRun): void {
    this.#runs.set(task, run);
    this.#lookups.clear();
    void this.#sync();
  }

  /** @returns resolves when nobody is sent to the task any more. */
  async stopping(task: string): Promise<void> {
    if (this.#forget(task)) await this.#bounded(this.#sync());
  }

  ended(task: string): void {
    if (this.#forget(task)) void this.#sync();
  }

  /** Takes the group's services back before its tasks are stopped. @returns resolves when nobody is sent to them any more. */
  async withdraw(): Promise<void> {
    this.#isWithdrawn = true;
    await this.#bounded(this.#sync());
  }

  /** The opposite, for tasks that are started again. */
  restore(): void {
    this.#isWithdrawn = false;
    void this.#sync();
  }

  /** The agent lets go of the tasks, which run on: what is registered stays. */
  detach(): void {
    this.#isOver = true;
    this.#checks.close();
  }

  /** The allocation is over. */
  close(): void {
    if (this.#isOver) return;
    this.#runs.clear();
    void this.#sync();
    this.#isOver = true;
    this.#checks.close();
  }

  #forget(task: string): boolean {
    this.#told.delete(task);
    return this.#runs.delete(task);
  }

  async #sync(): Promise<void> {
    if (!this.#isRecovered && this.#runs.size === 0) return;
    if (this.#isOver) return;
    for (const task of this.#group.Tasks) this.#checkWhile(this.#runs.has(task.Name), task.Name);
    this.#checkWhile(this.#isGroupThere(), null);
    // What an earlier agent registered is not judged before it is known what runs.
    if (this.#isRecovered) await this.#registrar.set(this.#wanted());
  }

  #checkWhile(runs: boolean, owner: string | null): void {
    if (runs) this.#checks.start(owner, (task) => this.#runs.get(task) ?? null, !this.#isRecovered);
    else this.#checks.stop(owner);
  }

  #wanted(): readonly NewRegistration[] {
    const ofGroup = this.#isWithdrawn ? [] : (this.#group.Services ?? []).filter((service) => this.#isThere(service));
    const ofTasks = this.#group.Tasks.filter((task) => this.#runs.has(task.Name)).flatMap((task) =>
      (task.Services ?? []).flatMap((service) => this.#registration(service, task.Name)),
    );
    return [...ofGroup.flatMap((service) => this.#registration(service, null)), ...ofTasks];
  }

  #registration(service: Service, task: string | null): readonly NewRegistration[] {
    try {
      return [registrationOf(service, this.#scope(task))];
    } catch (error) {
      this.#complain(task ?? "", `unable to get address for service "${service.Name}": ${(error as Error).message}`);
      return [];
    }
  }

  /** Once for each run: the task goes on without. Source: reference behaviour §10. */
  #complain(task: string, message: string): void {
    if (this.#told.has(task)) return;
    this.#told.add(task);
    this.#deps.log.warn({ ...(task ? { task } : {}), reason: message }, "a service can not be registered");
    if (task) this.#deps.emit(task, (at) => hookFailed(at, "task_services", message));
  }

  #isThere({ TaskName }: Service): boolean {
    return TaskName === "" ? this.#isGroupThere() : this.#runs.has(TaskName);
  }

  #isGroupThere(): boolean {
    return !this.#isWithdrawn && this.#group.Tasks.some((task) => task.Lifecycle === null && this.#runs.has(task.Name));
  }

  #scope(task: string | null): ServiceScope {
    const driver = task === null ? null : (this.#runs.get(task)?.network ?? null);
    return { alloc: this.#alloc, node: this.#deps.node(), task, lookup: this.#lookup(task), driver };
  }

  #lookup(task: string | null): Lookup {
    const known = this.#lookups.get(task);
    if (known) return known;
    const lookup = taskLookup(this.#deps.env(this.#alloc, this.#group, task), nodeLookup(this.#deps.node(), this.#alloc.Job.Region));
    this.#lookups.set(task, lookup);
    return lookup;
  }

  async #bounded(work: Promise<void>): Promise<void> {
    const late = new AbortController();
    await Promise.race([work, this.#deps.clock.sleep(patienceMs, late.signal)]);
    late.abort("over");
  }
}
