import type { Allocation, AllocDeploymentStatus, AllocNetworkStatus, ClientStatus, DesiredAllocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import type { Namespace } from "../model/namespace.js";
import type { Node } from "../model/node.js";
import type { ScalingEvents } from "../model/scaling.js";
import type { SchedulerConfig } from "../model/scheduler-config.js";
import type { NewRegistration, ServiceRegistration } from "../model/service-registration.js";
import type { TaskEvent, TaskState } from "../model/task-state.js";
import type { SealedVariable } from "../model/variable.js";
import type { AclChange, AclReader } from "./acl-table.js";

/**
 * The host's state: read from memory, written through one ordered queue to SQLite.
 *
 * A change is durable before it is visible: `commit` resolves, memory changes and watchers wake only after the
 * transaction that holds it is on disk. Commits become visible in the order in which they were submitted.
 */
export interface StateStore extends StateReader {
  /**
   * Writes all changes in one transaction under one new index.
   *
   * @returns the index of the change.
   * A change of an allocation, evaluation or other object that is no longer there comes to nothing.
   *
   * @throws AllocdError `degraded` when the disk refuses the write, or too much waits for it, and the commit is `refusable`;
   *   all others wait and are written in order. `conflict` for the creation of an allocation that is there or was removed, and
   *   for the end of a namespace that has jobs; `invalid` for a new job of a namespace that is not there.
   *   StoreClosedError when the agent ends. Any other error is a defect, and this commit alone was given up.
   */
  commit(changes: readonly Change[], options?: CommitOptions): Promise<number>;
  /** Commits what is queued, checkpoints, closes and gives up the lock. */
  close(): Promise<void>;
}

export interface CommitOptions {
  /** Rejected, rather than kept waiting, when the disk refuses the write. */
  readonly refusable?: boolean;
  /** An index that was given out before, by a store that is no more: this commit's is higher. */
  readonly above?: number;
}

export type TableName = "allocs" | "jobs" | "evals" | "deployments" | "nodes" | "namespaces" | "services" | "vars" | "acl";

/** What the scheduler and the API read. Every object is an immutable snapshot. */
export interface StateReader {
  /** The index of the latest visible change. */
  readonly index: number;
  /** The index of the latest visible change of one table. Never 0: a blocking query needs a value to wait on. */
  tableIndex(table: TableName): number;

  alloc(id: string): Allocation | undefined;
  /** All allocations in (CreateIndex, ID) order. */
  allocs(): readonly Allocation[];
  /** The allocations of one job, in (CreateIndex, ID) order. */
  allocsOfJob(namespace: string, jobId: string): readonly Allocation[];
  allocsOfEval(evalId: string): readonly Allocation[];
  /** True when the id was removed and must not run again. */
  isTombstone(allocId: string): boolean;

  job(namespace: string, id: string): Job | undefined;
  jobs(): readonly Job[];
  /** The kept versions, newest first. */
  jobVersions(namespace: string, id: string): readonly Job[];
  /** The jobs that were launched by a periodic or parameterized one. */
  childrenOfJob(namespace: string, id: string): readonly Job[];
  /** The second up to which a periodic job's times were seen to, as Unix time. */
  periodicLaunch(namespace: string, id: string): number | undefined;
  namespace(name: string): Namespace | undefined;
  /** By name. */
  namespaces(): readonly Namespace[];
  eval(id: string): Evaluation | undefined;
  evals(): readonly Evaluation[];
  evalsOfJob(namespace: string, jobId: string): readonly Evaluation[];
  deployment(id: string): Deployment | undefined;
  deploymentsOfJob(namespace: string, jobId: string): readonly Deployment[];
  node(): Node | undefined;
  /** Policies, roles and tokens. */
  readonly acl: AclReader;
  /** What was done to the counts of a job's groups. */
  scalingEvents(namespace: string, jobId: string): ScalingEvents | undefined;
  /** Undefined when nobody has changed the default. */
  schedulerConfig(): SchedulerConfig | undefined;
  /** All registrations in (CreateIndex, ID) order. */
  services(): readonly ServiceRegistration[];
  service(id: string): ServiceRegistration | undefined;
  servicesNamed(name: string): readonly ServiceRegistration[];
  servicesOfAlloc(allocId: string): readonly ServiceRegistration[];
  variable(namespace: string, path: string): SealedVariable | undefined;
  /** All variables, by namespace and path. */
  variables(): readonly SealedVariable[];

  /** What a task runner kept to find its task again. */
  taskHandle(allocId: string, task: string): StoredHandle | undefined;

  /**
   * The complete event history, read from disk. Oldest first, at most `limit` rows with a sequence number above `after`.
   * A task without its allocation is looked for among all rows, which is slow on a large history.
   */
  history(query: HistoryQuery): Promise<readonly HistoryRow[]>;

  readonly watch: StateWatch;
  /** Null when all is well, else why the store can not write. */
  readonly degraded: string | null;
}

/** Wakes readers when something they look at has changed. */
export interface StateWatch {
  /**
   * Calls `wake` once, after the next visible change of any of the keys; then the subscription is over.
   * Keys: a table name, or `alloc:<id>`, `job:<namespace>/<id>`, `eval:<id>`, `deployment:<id>`, `namespace:<name>`,
   * `var:<namespace>@<path>`.
   *
   * @returns a function that ends the subscription.
   */
  once(keys: readonly string[], wake: () => void): () => void;
  /** Calls `listener` after every visible commit, with its changes in order. Ends with the returned function. */
  subscribe(listener: (changes: readonly Change[], index: number) => void): () => void;
}

export type Change =
  | {
      readonly kind: "job";
      readonly job: Job /* CreateIndex, ModifyIndex (and JobModifyIndex when `spec`) are stamped */;
      readonly spec: boolean;
    }
  | { readonly kind: "job-delete"; readonly namespace: string; readonly id: string }
  /** Marks one kept version, which need not be the current one. */
  | { readonly kind: "job-stable"; readonly namespace: string; readonly id: string; readonly version: number; readonly stable: boolean }
  /** `launch` is in Unix seconds. Of a job that is there, or comes before it in the same commit. */
  | { readonly kind: "periodic-launch"; readonly namespace: string; readonly id: string; readonly launch: number }
  | { readonly kind: "namespace"; readonly namespace: Namespace }
  | { readonly kind: "namespace-delete"; readonly name: string }
  | { readonly kind: "eval"; readonly eval: Evaluation }
  | { readonly kind: "eval-delete"; readonly id: string }
  | { readonly kind: "deployment"; readonly deployment: Deployment }
  | { readonly kind: "deployment-delete"; readonly id: string }
  | { readonly kind: "node"; readonly node: Node }
  | { readonly kind: "acl"; readonly change: AclChange }
  /** Of a job that is there; they go with it. */
  | { readonly kind: "scaling-events"; readonly namespace: string; readonly id: string; readonly events: ScalingEvents }
  | { readonly kind: "scheduler-config"; readonly config: SchedulerConfig }
  /** An instance of a service, new or with other members. Those of an allocation go with it. */
  | { readonly kind: "service"; readonly service: NewRegistration }
  | { readonly kind: "service-delete"; readonly service: NewRegistration }
  /** A variable, new or with other items. */
  | { readonly kind: "variable"; readonly variable: Omit<SealedVariable, "CreateIndex" | "ModifyIndex" | "CreateTime" | "ModifyTime"> }
  | { readonly kind: "variable-delete"; readonly namespace: string; readonly path: string }
  /** A new allocation. ClientStatus starts as `pending`. */
  | { readonly kind: "alloc-create"; readonly alloc: DesiredAllocation }
  /** Changes desired members of a known one. */
  | { readonly kind: "alloc-desired"; readonly id: string; readonly patch: Partial<DesiredAllocation> }
  /** The alloc runner's report. Task events are appended to the history as they are. */
  | { readonly kind: "alloc-observed"; readonly id: string; readonly patch: ObservedPatch }
  | { readonly kind: "alloc-delete"; readonly id: string }
  | { readonly kind: "task-handle"; readonly allocId: string; readonly task: string; readonly handle: StoredHandle | null };

export interface ObservedPatch {
  readonly ClientStatus?: ClientStatus;
  readonly ClientDescription?: string;
  readonly DeploymentStatus?: AllocDeploymentStatus | null;
  readonly NetworkStatus?: AllocNetworkStatus | null;
  /** Only the tasks that changed. */
  readonly TaskStates?: Readonly<Record<string, TaskState>>;
  /** Events that are new with this change, for the history. */
  readonly events?: readonly NewTaskEvent[];
}

export interface NewTaskEvent {
  readonly task: string;
  /** 1 for a task's first run, counting up with each start. */
  readonly run: number;
  readonly event: TaskEvent;
}

/** What a task runner persists. `driver` is the driver's own state, opaque to all others. */
export interface StoredHandle {
  /** The run that `driver` belongs to; when `driver` is null the one to start, which may have been tried already. */
  readonly run: number;
  readonly driver: Readonly<Record<string, unknown>> | null;
  /** The end of this run is on record; what may be left of it is to be destroyed. */
  readonly ended?: boolean;
  /** Names of task hooks whose work is done once for all runs. */
  readonly hooksDone: readonly string[];
}

export interface HistoryQuery {
  readonly allocId?: string;
  readonly task?: string;
  readonly after?: number;
  readonly limit: number;
}

export interface HistoryRow {
  readonly seq: number;
  readonly allocId: string;
  readonly task: string;
  readonly run: number;
  readonly event: TaskEvent;
}
