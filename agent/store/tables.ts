import type { Allocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import type { Node } from "../model/node.js";
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
  },
  allocs: [],
  jobVersions: new Map(),
  jobs: [],
  evals: [],
  deployments: [],
  node: undefined,
  acl: [],
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
  readonly jobs = new GroupedMap<Job, never>((job) => jobKey(job.Namespace, job.ID), {});
  readonly evals = new GroupedMap<Evaluation, "job">((e) => e.ID, { job: ofJob });
  readonly deployments = new GroupedMap<Deployment, "job">((d) => d.ID, { job: ofJob });
  readonly acl: AclTable;
  readonly #jobVersions: Map<string, readonly Job[]>;
  readonly #tombstones: Set<string>;
  readonly #handles = new Map<string, Map<string, StoredHandle>>();
  #node: Node | undefined;
  #completedEvals = 0;

  constructor(from: TablesSnapshot = emptySnapshot()) {
    this.#index = from.index;
    this.#tableIndexes = { ...from.tableIndexes };
    for (const alloc of from.allocs) this.allocs.set(alloc);
    for (const job of from.jobs) this.jobs.set(job);
    for (const evaluation of from.evals) this.#putEval(evaluation);
    for (const deployment of from.deployments) this.deployments.set(deployment);
    for (const [allocId, tasks] of from.handles) this.#handles.set(allocId, new Map(tasks));
    this.#jobVersions = new Map(from.jobVersions);
    this.#tombstones = new Set(from.tombstones);
    this.#node = from.node;
    this.acl = new AclTable(from.acl);
  }

  get index(): number {
    return this.#index;
  }

  get node(): Node | undefined {
    return this.#node;
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

  handle(allocId: string, task: string): StoredHandle | undefined {
    return this.#handles.get(allocId)?.get(task);
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
        this.jobs.delete(jobKey(effect.namespace, effect.id));
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
