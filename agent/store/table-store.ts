import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Allocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import type { Namespace } from "../model/namespace.js";
import type { Node } from "../model/node.js";
import type { ScalingEvents } from "../model/scaling.js";
import type { SchedulerConfig } from "../model/scheduler-config.js";
import type { ServiceRegistration } from "../model/service-registration.js";
import type { SealedVariable } from "../model/variable.js";
import type { AclReader } from "./acl-table.js";
import { CommitQueue, type CommitQueueDeps } from "./commit-queue.js";
import { type Effect, jobKey, tableOf, watchKeyOf } from "./effect.js";
import type { StoreLimits } from "./limits.js";
import type { Change, CommitOptions, HistoryQuery, HistoryRow, StateStore, StoredHandle, TableName } from "./state-store.js";
import type { Tables, TablesSnapshot } from "./tables.js";
import { Watch } from "./watch.js";

export interface TableStoreDeps {
  readonly tables: Tables;
  readonly write: CommitQueueDeps["write"];
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: StoreLimits;
  readonly hostFault?: () => string | null;
}

/** A store but for where it writes to: reads from tables, commits through a queue, wakes watchers. */
export abstract class TableStore implements StateStore {
  readonly #tables: Tables;
  readonly #queue: CommitQueue;
  readonly watch: Watch;

  constructor({ tables, write, clock, log, ...rest }: TableStoreDeps) {
    this.#tables = tables;
    this.watch = new Watch((error) => log.error({ err: error }, "a watcher of the state threw"));
    const published = (changes: readonly Change[], effects: readonly Effect[], index: number): void =>
      this.watch.publish(keysOf(effects), changes, index);
    this.#queue = new CommitQueue({ tables, write, published, clock, log, ...rest });
  }

  abstract history(query: HistoryQuery): Promise<readonly HistoryRow[]>;

  commit(changes: readonly Change[], options: CommitOptions = {}): Promise<number> {
    return this.#queue.commit(changes, options);
  }

  close(): Promise<void> {
    return this.#queue.close();
  }

  /** Rejects every commit from now on. */
  protected fail(error: Error): void {
    this.#queue.fail(error);
  }

  get degraded(): string | null {
    return this.#queue.degraded;
  }

  /** All that is visible, as it is now. */
  snapshot(): TablesSnapshot {
    return this.#tables.snapshot();
  }

  get index(): number {
    return this.#tables.index;
  }

  tableIndex(table: TableName): number {
    return this.#tables.tableIndex(table);
  }

  alloc(id: string): Allocation | undefined {
    return this.#tables.allocs.get(id);
  }

  allocs(): readonly Allocation[] {
    return this.#tables.allocs.list();
  }

  allocsOfJob(namespace: string, jobId: string): readonly Allocation[] {
    return this.#tables.allocs.listOf("job", jobKey(namespace, jobId));
  }

  allocsOfEval(evalId: string): readonly Allocation[] {
    return this.#tables.allocs.listOf("eval", evalId);
  }

  isTombstone(allocId: string): boolean {
    return this.#tables.tombstones.has(allocId);
  }

  job(namespace: string, id: string): Job | undefined {
    return this.#tables.jobs.get(jobKey(namespace, id));
  }

  jobs(): readonly Job[] {
    return this.#tables.jobs.list();
  }

  jobVersions(namespace: string, id: string): readonly Job[] {
    return this.#tables.jobVersions(namespace, id);
  }

  childrenOfJob(namespace: string, id: string): readonly Job[] {
    return id === "" ? [] : this.#tables.jobs.listOf("parent", jobKey(namespace, id));
  }

  periodicLaunch(namespace: string, id: string): number | undefined {
    return this.#tables.launches.get(jobKey(namespace, id));
  }

  namespace(name: string): Namespace | undefined {
    return this.#tables.namespaces.get(name);
  }

  namespaces(): readonly Namespace[] {
    return this.#tables.namespacesByName();
  }

  eval(id: string): Evaluation | undefined {
    return this.#tables.evals.get(id);
  }

  evals(): readonly Evaluation[] {
    return this.#tables.evals.list();
  }

  evalsOfJob(namespace: string, jobId: string): readonly Evaluation[] {
    return this.#tables.evals.listOf("job", jobKey(namespace, jobId));
  }

  deployment(id: string): Deployment | undefined {
    return this.#tables.deployments.get(id);
  }

  deploymentsOfJob(namespace: string, jobId: string): readonly Deployment[] {
    return this.#tables.deployments.listOf("job", jobKey(namespace, jobId));
  }

  node(): Node | undefined {
    return this.#tables.node;
  }

  get acl(): AclReader {
    return this.#tables.acl;
  }

  scalingEvents(namespace: string, jobId: string): ScalingEvents | undefined {
    return this.#tables.scalingEvents(namespace, jobId);
  }

  schedulerConfig(): SchedulerConfig | undefined {
    return this.#tables.schedulerConfig;
  }

  services(): readonly ServiceRegistration[] {
    return this.#tables.services.list();
  }

  service(id: string): ServiceRegistration | undefined {
    return this.#tables.services.get(id);
  }

  servicesNamed(name: string): readonly ServiceRegistration[] {
    return this.#tables.services.listOf("name", name);
  }

  servicesOfAlloc(allocId: string): readonly ServiceRegistration[] {
    return this.#tables.services.listOf("alloc", allocId);
  }

  variable(namespace: string, path: string): SealedVariable | undefined {
    return this.#tables.variable(namespace, path);
  }

  variables(): readonly SealedVariable[] {
    return this.#tables.variables();
  }

  taskHandle(allocId: string, task: string): StoredHandle | undefined {
    return this.#tables.handle(allocId, task);
  }
}

function keysOf(effects: readonly Effect[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const effect of effects) {
    for (const key of [tableOf(effect), watchKeyOf(effect)]) if (key !== undefined) keys.add(key);
  }
  return keys;
}
