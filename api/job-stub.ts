import type { Allocation, ClientStatus } from "../agent/model/allocation.js";
import type { Evaluation } from "../agent/model/evaluation.js";
import type { Job } from "../agent/model/job.js";
import { encodeJson } from "../agent/model/json.js";
import type { StateReader } from "../agent/store/state-store.js";

/** The counts of one task group. */
interface GroupSummary {
  Complete: number;
  Failed: number;
  Lost: number;
  Queued: number;
  Running: number;
  Starting: number;
  Unknown: number;
}

/** How the allocations of a job are doing, counted by group. */
export interface JobSummary {
  readonly Children: { readonly Dead: number; readonly Pending: number; readonly Running: number };
  readonly CreateIndex: number;
  readonly JobID: string;
  readonly ModifyIndex: number;
  readonly Namespace: string;
  readonly Summary: Readonly<Record<string, GroupSummary>>;
}

const COUNTED_AS: Readonly<Record<ClientStatus, Exclude<keyof GroupSummary, "Queued">>> = {
  pending: "Starting",
  running: "Running",
  complete: "Complete",
  failed: "Failed",
  lost: "Lost",
  unknown: "Unknown",
};

/** The tables that a summary depends on. */
export const SUMMARY_TABLES = ["jobs", "allocs", "evals"] as const;

/** The index of all summaries. */
export const summaryIndex = (store: StateReader): number => Math.max(...SUMMARY_TABLES.map((table) => store.tableIndex(table)));

/** @param evals of the job; what is still queued is what the latest one says. */
export function summarise(
  job: Job,
  allocs: readonly Allocation[],
  evals: readonly Evaluation[],
  children: readonly Pick<Job, "Status" | "ModifyIndex">[] = [],
): JobSummary {
  // Keyed by names that a caller chose, `__proto__` among them.
  const groups = new Map<string, GroupSummary>();
  const groupOf = (name: string): GroupSummary => {
    const known = groups.get(name) ?? { Complete: 0, Failed: 0, Lost: 0, Queued: 0, Running: 0, Starting: 0, Unknown: 0 };
    groups.set(name, known);
    return known;
  };
  for (const group of job.TaskGroups) groupOf(group.Name);
  let modifyIndex = job.ModifyIndex;
  for (const alloc of allocs) {
    groupOf(alloc.TaskGroup)[COUNTED_AS[alloc.ClientStatus]]++;
    modifyIndex = Math.max(modifyIndex, alloc.ModifyIndex);
  }
  const count = (status: Job["Status"]): number => children.filter(({ Status }) => Status === status).length;
  for (const child of children) modifyIndex = Math.max(modifyIndex, child.ModifyIndex);
  const latest = evals.reduce<Evaluation | undefined>((a, b) => (a === undefined || b.CreateIndex >= a.CreateIndex ? b : a), undefined);
  for (const [name, queued] of Object.entries(latest?.QueuedAllocations ?? {})) {
    const group = groups.get(name);
    if (group !== undefined) group.Queued = queued;
  }
  return {
    Children: { Dead: count("dead"), Pending: count("pending"), Running: count("running") },
    CreateIndex: job.CreateIndex,
    JobID: job.ID,
    ModifyIndex: modifyIndex,
    Namespace: job.Namespace,
    Summary: Object.fromEntries(groups),
  };
}

export const summaryOf = (store: StateReader, job: Job): JobSummary =>
  summarise(
    job,
    store.allocsOfJob(job.Namespace, job.ID),
    store.evalsOfJob(job.Namespace, job.ID),
    store.childrenOfJob(job.Namespace, job.ID),
  );

/** One element of the list of jobs. @param meta whether to tell the job's own. Source: reference sample of GET /v1/jobs. */
export const encodeJobStub = (job: Job, summary: JobSummary, meta = false): string =>
  encodeJson({
    CreateIndex: job.CreateIndex,
    Datacenters: job.Datacenters,
    ID: job.ID,
    JobModifyIndex: job.JobModifyIndex,
    JobSummary: summary,
    ...(meta ? { Meta: job.Meta } : {}),
    ModifyIndex: job.ModifyIndex,
    Multiregion: null,
    Name: job.Name,
    Namespace: job.Namespace,
    NodePool: job.NodePool,
    ParameterizedJob: Boolean(job.ParameterizedJob),
    ParentID: job.ParentID,
    Periodic: Boolean(job.Periodic),
    Priority: job.Priority,
    Status: job.Status,
    StatusDescription: job.StatusDescription,
    Stop: job.Stop,
    SubmitTime: job.SubmitTime,
    Type: job.Type,
  });
