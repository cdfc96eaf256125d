import type { Allocation, DesiredAllocation, ObservedAllocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import { parseJson } from "../model/json.js";
import { defaultNamespace, type Namespace } from "../model/namespace.js";
import type { Node } from "../model/node.js";
import type { ServiceRegistration } from "../model/service-registration.js";
import type { TaskState } from "../model/task-state.js";
import type { SealedVariable } from "../model/variable.js";
import { decodeAclRow } from "./acl-table.js";
import { jobKey } from "./effect.js";
import { RowsError } from "./errors.js";
import { eventOf } from "./event-body.js";
import type { JobCopies } from "./job-copies.js";
import { byCreation } from "./ordered-map.js";
import type { EvalRow, EventRow, StateRows, TaskStateRow, VariableRow } from "./protocol.js";
import { decodeScalingEvents, decodeSchedulerConfig } from "./scheduling-rows.js";
import type { HistoryRow, StoredHandle, TableName } from "./state-store.js";
import { FIRST_INDEX, type TablesSnapshot } from "./tables.js";

/** Makes the state of what the database holds, and tells the job copies under which digest each was found. */
export function decodeState(rows: StateRows, jobCopies: JobCopies): TablesSnapshot {
  const meta = new Map(rows.meta.map(({ key, value }) => [key, Number(value)]));
  const indexOf = (table: TableName): number => meta.get(`index:${table}`) ?? FIRST_INDEX;
  const jobVersions = decodeJobVersions(rows);
  return {
    index: meta.get("index") ?? FIRST_INDEX,
    tableIndexes: {
      allocs: indexOf("allocs"),
      jobs: indexOf("jobs"),
      evals: indexOf("evals"),
      deployments: indexOf("deployments"),
      nodes: indexOf("nodes"),
      acl: indexOf("acl"),
      namespaces: indexOf("namespaces"),
      services: indexOf("services"),
      vars: indexOf("vars"),
    },
    allocs: decodeAllocs(rows, jobCopies).sort(byCreation),
    jobVersions,
    jobs: currentJobs(rows, jobVersions).sort(byCreation),
    evals: rows.evals.map(decodeEval).sort(byCreation),
    deployments: rows.deployments.map(decodeDeployment).sort(byCreation),
    node: rows.node === undefined ? undefined : decodeNode(rows.node),
    acl: rows.acl.map(decodeAclRow),
    namespaces: decodeNamespaces(rows.namespaces),
    launches: new Map(rows.launches.map(({ namespace, id, launch }) => [jobKey(namespace, id), Number(launch)])),
    scalingEvents: decodeScalingEvents(rows.scalingEvents),
    schedulerConfig: rows.schedulerConfig === undefined ? undefined : decodeSchedulerConfig(rows.schedulerConfig),
    services: rows.services.map((body) => parseJson(body) as ServiceRegistration).sort(byCreation),
    variables: rows.variables.map(decodeVariable),
    tombstones: rows.tombstones,
    handles: grouped(
      rows.taskHandles,
      (row) => row.alloc_id,
      (row) => [row.task, parseJson(row.body) as StoredHandle] as const,
    ),
  };
}

export const decodeHistoryRow = (row: EventRow): HistoryRow => ({
  seq: Number(row.seq),
  allocId: row.alloc_id,
  task: row.task,
  run: Number(row.run),
  event: eventOf(row.type, row.time, parseJson(row.body) as object),
});

// A time may be read as a number when it is small, as in tests and for 1970, and the model says bigint.
type Time = number | bigint;
const time = (value: Time): bigint => BigInt(value);
const timeOrNull = (value: Time | null): bigint | null => (value === null ? null : BigInt(value));

const decodeJob = (body: string): Job => {
  const job = parseJson(body) as Job;
  return { ...job, SubmitTime: time(job.SubmitTime) };
};

function decodeJobVersions(rows: StateRows): ReadonlyMap<string, readonly Job[]> {
  const versions = new Map<string, Job[]>();
  for (const { namespace, id, body } of rows.jobVersions) {
    const key = jobKey(namespace, id);
    const known = versions.get(key);
    if (known) known.push(decodeJob(body));
    else versions.set(key, [decodeJob(body)]);
  }
  return versions;
}

function currentJobs(rows: StateRows, versions: ReadonlyMap<string, readonly Job[]>): Job[] {
  return rows.jobs.map(({ namespace, id, version }) => {
    const job = versions.get(jobKey(namespace, id))?.find((candidate) => candidate.Version === Number(version));
    if (!job) throw new RowsError(`job ${id} in namespace ${namespace} has no version ${version}`);
    return job;
  });
}

function decodeAllocs(rows: StateRows, jobCopies: JobCopies): Allocation[] {
  const jobs = new Map(rows.jobCopies.map(({ digest, body }) => [digest, decodeJob(body)]));
  for (const [digest, job] of jobs) jobCopies.remember(job, digest);
  const taskStates = grouped(
    rows.taskStates,
    (row) => row.alloc_id,
    (row) => [row.task, decodeTaskState(row)] as const,
  );
  return rows.allocs.map((row) => {
    const desired = parseJson(row.body) as Omit<DesiredAllocation, "Job">;
    const Job = jobs.get(row.job_digest);
    if (!Job) throw new RowsError(`allocation ${desired.ID} has no copy of its job`);
    const status = parseJson(row.status) as Omit<ObservedAllocation, "TaskStates">;
    const states = taskStates.get(desired.ID);
    return {
      ...desired,
      Job,
      RescheduleTracker: withTimes(desired.RescheduleTracker),
      ...status,
      DeploymentStatus: status.DeploymentStatus && { ...status.DeploymentStatus, Timestamp: timeOrNull(status.DeploymentStatus.Timestamp) },
      TaskStates: states ? Object.fromEntries(states) : null,
      CreateIndex: Number(row.create_index),
      ModifyIndex: Number(row.modify_index),
      AllocModifyIndex: Number(row.alloc_modify_index),
      CreateTime: row.create_time,
      ModifyTime: row.modify_time,
    };
  });
}

const withTimes = (tracker: DesiredAllocation["RescheduleTracker"]): DesiredAllocation["RescheduleTracker"] =>
  tracker && { ...tracker, Events: tracker.Events?.map((event) => ({ ...event, RescheduleTime: time(event.RescheduleTime) })) ?? null };

function decodeTaskState(row: TaskStateRow): TaskState {
  return {
    ...(parseJson(row.body) as Omit<TaskState, "Events" | "LastRestart" | "StartedAt" | "FinishedAt">),
    LastRestart: row.last_restart,
    StartedAt: row.started_at,
    FinishedAt: row.finished_at,
    Events: row.events.map((event) => decodeHistoryRow(event).event),
  };
}

function decodeEval(row: EvalRow): Evaluation {
  const evaluation = parseJson(row.body) as Omit<Evaluation, "CreateTime" | "ModifyTime">;
  return { ...evaluation, WaitUntil: timeOrNull(evaluation.WaitUntil), CreateTime: row.create_time, ModifyTime: row.modify_time };
}

function decodeDeployment(body: string): Deployment {
  const deployment = parseJson(body) as Deployment;
  const groups = Object.entries(deployment.TaskGroups).map(
    ([name, group]) => [name, { ...group, RequireProgressBy: timeOrNull(group.RequireProgressBy) }] as const,
  );
  return {
    ...deployment,
    TaskGroups: Object.fromEntries(groups),
    CreateTime: time(deployment.CreateTime),
    ModifyTime: time(deployment.ModifyTime),
  };
}

/** The default one is on disk only when somebody has changed it. */
function decodeNamespaces(bodies: readonly string[]): readonly Namespace[] {
  const stored = bodies.map((body) => parseJson(body) as Namespace);
  return stored.some(({ Name }) => Name === defaultNamespace.Name) ? stored : [defaultNamespace, ...stored];
}
const decodeVariable = ({ create_time, modify_time, body }: VariableRow): SealedVariable => ({
  ...(parseJson(body) as Omit<SealedVariable, "CreateTime" | "ModifyTime">),
  CreateTime: create_time,
  ModifyTime: modify_time,
});

function decodeNode(body: string): Node {
  const node = parseJson(body) as Node;
  const drivers = Object.entries(node.Drivers).map(([name, driver]) => [name, { ...driver, UpdateTime: time(driver.UpdateTime) }] as const);
  // What an earlier allocd has written says nothing of drains.
  const { DrainStrategy = null, LastDrain = null } = node as Partial<Node>;
  return {
    ...node,
    Drivers: Object.fromEntries(drivers),
    StatusUpdatedAt: time(node.StatusUpdatedAt),
    DrainStrategy: DrainStrategy && {
      ...DrainStrategy,
      ForceDeadline: timeOrNull(DrainStrategy.ForceDeadline),
      StartedAt: time(DrainStrategy.StartedAt),
    },
    LastDrain: LastDrain && { ...LastDrain, StartedAt: time(LastDrain.StartedAt), UpdatedAt: time(LastDrain.UpdatedAt) },
  };
}

/** Rows as maps within a map, in the order of the rows. */
function grouped<Row, Value>(
  rows: readonly Row[],
  groupOf: (row: Row) => string,
  entryOf: (row: Row) => readonly [string, Value],
): ReadonlyMap<string, ReadonlyMap<string, Value>> {
  const groups = new Map<string, Map<string, Value>>();
  for (const row of rows) {
    const [key, value] = entryOf(row);
    const group = groups.get(groupOf(row));
    if (group) group.set(key, value);
    else groups.set(groupOf(row), new Map([[key, value]]));
  }
  return groups;
}
