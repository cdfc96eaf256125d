import type { Allocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import { defaultNamespace, type Namespace } from "../model/namespace.js";
import type { Node } from "../model/node.js";
import type { ScalingEvents } from "../model/scaling.js";
import type { SchedulerConfig } from "../model/scheduler-config.js";
import type { ServiceRegistration } from "../model/service-registration.js";
import { type SealedVariable, variableKey } from "../model/variable.js";
import { type AclChange, AclTable } from "./acl-table.js";
import { type Effect, jobKey, tableOf } from "./effect.js";
import { GroupedMap } from "./ordered-map.js";
import type { StoredHandle, TableName } from "./state-store.js";

/** All state as plain lists: what a start loads, and what tests compare. */
export interface TablesSnapshot {
  readonly index: number;
  readonly tableIndexes: Readonly<Record<TableName, number>>;
  readonly allocs: readonly Allocation[];
  /** By job key, newest first. */
  readonly jobVersions: ReadonlyMap<string, readonly Job[]>;
  readonly jobs: readonly Job[];
  readonly evals: readonly Evaluation[];
  readonly deployments: readonly Deployment[];
  readonly node: Node | undefined;
  readonly acl: readonly AclChange[];
  /** By name. */
  readonly namespaces: readonly Namespace[];
  /** By job key, in Unix seconds. */
  readonly launches: ReadonlyMap<string, number>;
  /** By job key. */
  readonly scalingEvents: ReadonlyMap<string, ScalingEvents>;
  readonly schedulerConfig: SchedulerConfig | undefined;
  readonly services: readonly ServiceRegistration[];
  readonly variables: readonly SealedVariable[];
  /** Oldest first. */
  readonly tombstones: readonly string[];
  /** By allocation, then by task. */
  readonly handles: ReadonlyMap<string, ReadonlyMap<string, StoredHandle>>;
}

/** A blocking query waits for an index above one it was given, and 0 means that it does not wait: so the first is 1. */
export const FIRST_INDEX = 1;

export const emptySnapshot = (): TablesSnapshot => ({
  index: FIRST_INDEX,
  tableIndexes: {
    allocs: FIRST_INDEX,
    jobs: FIRST_INDEX,
    evals: FIRST_INDEX,
    deployments: FIRST_INDEX,
    nodes: FIRST_INDEX,
    acl: FIRST_INDEX,
    namespaces: FIRST_INDEX,
    services: FIRST_INDEX,
    vars: FIRST_INDEX,
  },
  allocs: [],
  jobVersions: new Map(),
  jobs: [],
  evals: [],
  deployments: [],
  node: undefined,
  acl: [],
  namespaces: [defaultNamespace],
  launches: new Map(),
  scalingEvents: new Map(),
  schedulerConfig: undefined,
  services: [],
  variables: [],
  tombstones: [],
  handles: new Map(),
});

export const isCompleted = (evaluation: Pick<Evaluation, "Status">): boolean =>
  evaluation.Status === "complete" || evaluation.Status === "failed" || evaluation.Status === "canceled";

const ofJob = (item: { readonly Namespace: string; readonly JobID: string }): string => jobKey(item.Namespace, item.JobID);

/** The state in memory. Objects are immutable; lists that were handed out stay as they are. */
export class Tables {
  #index: number;
  readonly #tableIndexes: Record<TableName, number>;
  readonly allocs = new GroupedMap<Allocation, "job" | "eval">((a) => a.ID, { job: ofJob, eval: (a) => a.EvalID });
  readonly jobs = new GroupedMap<Job, "parent">((job) => jobKey(job.Namespace, job.ID), {
    parent: (job) => jobKey(job.Namespace, job.ParentID),
  });
  readonly evals = new GroupedMap<Evaluation, "job">((e) => e.ID, { job: ofJob });
  readonly deployments = new GroupedMap<Deployment, "job">((d) => d.ID, { job: ofJob });
  readonly acl: AclTable;
  readonly namespaces: Map<string, Namespace>;
  readonly launches: Map<string, number>;
  readonly services = new GroupedMap<ServiceRegistration, "name" | "alloc">((s) => s.ID, {
    name: (s) => s.ServiceName,
    alloc: (s) => s.AllocID,
  });
  readonly #jobVersions: Map<string, readonly Job[]>;
  readonly #tombstones: Set<string>;
  readonly #variables: Map<string, SealedVariable>;
  readonly #handles = new Map<string, Map<string, StoredHandle>>();
  readonly #scalingEvents: Map<string, ScalingEvents>;
  #node: Node | undefined;
  #schedulerConfig: SchedulerConfig | undefined;
  #completedEvals = 0;

  constructor(from: TablesSnapshot = emptySnapshot()) {
    this.#index = from.index;
    this.#tableIndexes = { ...from.tableIndexes };
    for (const alloc of from.allocs) this.allocs.set(alloc);
    for (const job of from.jobs) this.jobs.set(job);
    for (const evaluation of from.evals) this.#putEval(evaluation);
    for (const deployment of from.deployments) this.deployments.set(deployment);
    for (const service of from.services) this.services.set(service);
    for (const [allocId, tasks] of from.handles) this.#handles.set(allocId, new Map(tasks));
    this.#jobVersions = new Map(from.jobVersions);
    this.#tombstones = new Set(from.tombstones);
    this.namespaces = new Map(from.namespaces.map((namespace) => [namespace.Name, namespace]));
    this.launches = new Map(from.launches);
    this.#node = from.node;
    this.acl = new AclTable(from.acl);
    this.#scalingEvents = new Map(from.scalingEvents);
    this.#schedulerConfig = from.schedulerConfig;
    this.#variables = new Map(from.variables.map((variable) => [variableKey(variable.Namespace, variable.Path), variable]));
  }

  get index(): number {
    return this.#index;
  }

  get node(): Node | undefined {
    return this.#node;
  }

  get schedulerConfig(): SchedulerConfig | undefined {
    return this.#schedulerConfig;
  }

  get completedEvals(): number {
    return this.#completedEvals;
  }

  get tombstones(): ReadonlySet<string> {
    return this.#tombstones;
  }

  tableIndex(table: TableName): number {
    return this.#tableIndexes[table];
  }

  jobVersions(namespace: string, id: string): readonly Job[] {
    return this.#jobVersions.get(jobKey(namespace, id)) ?? [];
  }

  namespacesByName(): readonly Namespace[] {
    return [...this.namespaces.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  variable(namespace: string, path: string): SealedVariable | undefined {
    return this.#variables.get(variableKey(namespace, path));
  }

  variables(): readonly SealedVariable[] {
    return [...this.#variables].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, variable]) => variable);
  }

  handle(allocId: string, task: string): StoredHandle | undefined {
    return this.#handles.get(allocId)?.get(task);
  }

  scalingEvents(namespace: string, id: string): ScalingEvents | undefined {
    return this.#scalingEvents.get(jobKey(namespace, id));
  }

  snapshot(): TablesSnapshot {
    return {
      index: this.#index,
      tableIndexes: { ...this.#tableIndexes },
      allocs: this.allocs.list(),
      jobVersions: new Map(this.#jobVersions),
      jobs: this.jobs.list(),
      evals: this.evals.list(),
      deployments: this.deployments.list(),
      node: this.#node,
      acl: this.acl.snapshot(),
      namespaces: this.namespacesByName(),
      launches: new Map(this.launches),
      scalingEvents: new Map(this.#scalingEvents),
      schedulerConfig: this.#schedulerConfig,
      services: this.services.list(),
      variables: this.variables(),
      tombstones: [...this.#tombstones],
      handles: new Map([...this.#handles].map(([allocId, tasks]) => [allocId, new Map(tasks)])),
    };
  }

  /** Says that all effects of the index were applied. */
  advance(index: number): void {
    this.#index = index;
  }

  apply(effect: Effect, index: number): void {
    const table = tableOf(effect);
    if (table) this.#tableIndexes[table] = index;
    switch (effect.kind) {
      case "alloc":
        this.allocs.set(effect.alloc);
        return;
      case "alloc-delete":
        this.#handles.delete(effect.alloc.ID);
        this.allocs.delete(effect.alloc.ID);
        return;
      case "tombstone":
        this.#tombstones.add(effect.id);
        return;
      case "tombstone-delete":
        this.#tombstones.delete(effect.id);
        return;
      case "job":
        this.#jobVersions.set(jobKey(effect.job.Namespace, effect.job.ID), effect.versions);
        this.jobs.set(effect.job);
        return;
      case "job-delete":
        this.#jobVersions.delete(jobKey(effect.namespace, effect.id));
        this.launches.delete(jobKey(effect.namespace, effect.id));
        this.jobs.delete(jobKey(effect.namespace, effect.id));
        this.#scalingEvents.delete(jobKey(effect.namespace, effect.id));
        return;
      case "job-version":
        this.#jobVersions.set(jobKey(effect.job.Namespace, effect.job.ID), effect.versions);
        if (effect.isCurrent) this.jobs.set(effect.job);
        return;
      case "periodic-launch":
        this.launches.set(jobKey(effect.namespace, effect.id), effect.launch);
        return;
      case "namespace":
        this.namespaces.set(effect.namespace.Name, effect.namespace);
        return;
      case "namespace-delete":
        this.namespaces.delete(effect.name);
        return;
      case "eval":
        this.#putEval(effect.eval);
        return;
      case "eval-delete":
        this.#dropEval(effect.id);
        return;
      case "deployment":
        this.deployments.set(effect.deployment);
        return;
      case "deployment-delete":
        this.deployments.delete(effect.id);
        return;
      case "node":
        this.#node = effect.node;
        return;
      case "acl":
        this.acl.apply(effect.change);
        return;
      case "scaling-events":
        this.#scalingEvents.set(jobKey(effect.namespace, effect.id), effect.events);
        return;
      case "scheduler-config":
        this.#schedulerConfig = effect.config;
        return;
      case "service":
        this.services.set(effect.service);
        return;
      case "service-delete":
        this.services.delete(effect.id);
        return;
      case "variable":
        this.#variables.set(variableKey(effect.variable.Namespace, effect.variable.Path), effect.variable);
        return;
      case "variable-delete":
        this.#variables.delete(variableKey(effect.namespace, effect.path));
        return;
      case "task-handle":
        this.#putHandle(effect.allocId, effect.task, effect.handle);
        return;
    }
  }

  #putEval(evaluation: Evaluation): void {
    this.#dropCompleted(evaluation.ID);
    if (isCompleted(evaluation)) this.#completedEvals++;
    this.evals.set(evaluation);
  }

  #dropEval(id: string): void {
    this.#dropCompleted(id);
    this.evals.delete(id);
  }

  #dropCompleted(id: string): void {
    const before = this.evals.get(id);
    if (before && isCompleted(before)) this.#completedEvals--;
  }

  #putHandle(allocId: string, task: string, handle: StoredHandle | null): void {
    const tasks = this.#handles.get(allocId);
    if (handle && tasks) tasks.set(task, handle);
    else if (handle) this.#handles.set(allocId, new Map([[task, handle]]));
    else if (tasks?.delete(task) && tasks.size === 0) this.#handles.delete(allocId);
  }
}
