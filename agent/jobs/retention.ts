import { type Allocation, isClientTerminal, isDesiredTerminal } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import { isOpen } from "../model/job-status.js";
import { isParent } from "../model/parent-job.js";
import type { Change } from "../store/state-store.js";

export interface RetentionLimits {
  /** Client-terminal allocations that are kept. */
  readonly maxTerminalAllocs: number;
  /** Jobs that are over and of which no allocation is left. */
  readonly maxDeadJobs: number;
  /** Ended deployments that are kept of one job. */
  readonly maxDeployments: number;
}

/** What is known under one job's id. */
export interface JobRecords {
  readonly job: Job | undefined;
  readonly allocs: readonly Allocation[];
  readonly evals: readonly Evaluation[];
  readonly deployments: readonly Deployment[];
}

/**
 * What a purged job leaves behind, once the last of its tasks is gone. A job that was registered again under the same
 * id keeps its own. The evaluation of the purge stays, as whoever asked for it reads it.
 */
export function purgeRemains({ job, allocs, evals, deployments }: JobRecords): Change[] {
  const since = job?.CreateIndex ?? Number.POSITIVE_INFINITY;
  const orphans = allocs.filter((a) => !a.Ingested && a.Job.CreateIndex < since);
  if (!orphans.every(isClientTerminal)) return [];
  const left = <T extends { readonly CreateIndex: number }>(records: readonly T[]): T[] => records.filter((r) => r.CreateIndex < since);
  return [
    ...orphans.map((a): Change => ({ kind: "alloc-delete", id: a.ID })),
    ...left(evals)
      .filter((e) => !isOpen(e) && e.TriggeredBy !== "job-deregister")
      .map((e): Change => ({ kind: "eval-delete", id: e.ID })),
    ...left(deployments).map((d): Change => ({ kind: "deployment-delete", id: d.ID })),
  ];
}

/**
 * The terminal allocations that are over the limit, oldest first. One that still stands for its place in a job that is
 * not over is kept: without it the job would start it again.
 */
export function surplusAllocs(
  allocs: readonly Allocation[],
  jobOf: (a: Allocation) => Job | undefined,
  { maxTerminalAllocs }: RetentionLimits,
): Allocation[] {
  const terminal = allocs.filter(isClientTerminal);
  const surplus = terminal.length - maxTerminalAllocs;
  return surplus > 0 ? terminal.filter((a) => mayForget(a, jobOf(a))).slice(0, surplus) : [];
}

/** Whether nothing is decided by a terminal allocation any more. */
export function mayForget(alloc: Allocation, job: Job | undefined): boolean {
  if (alloc.Ingested || !job || job.CreateIndex !== alloc.Job.CreateIndex || job.Status === "dead") return true;
  const stoppedByHand = alloc.DesiredTransition.Migrate === true && alloc.NextAllocation === "";
  return isDesiredTerminal(alloc) && !stoppedByHand;
}

/**
 * A batch job that is over, or a stopped one, goes with the last of its allocations.
 *
 * @param allocs what is left of the job's allocations.
 */
export const isForgotten = (job: Job | undefined, allocs: readonly Allocation[]): boolean =>
  job?.Status === "dead" && allocs.length === 0 && (job.Stop || isBatch(job.Type));

/** Ended deployments of one job over the limit, oldest first. */
export function surplusDeployments(deployments: readonly Deployment[], { maxDeployments }: RetentionLimits): Change[] {
  const ended = deployments.filter((d) => d.Status !== "running" && d.Status !== "paused");
  const oldest = [...ended].sort((a, b) => a.CreateIndex - b.CreateIndex);
  return oldest.slice(0, Math.max(0, ended.length - maxDeployments)).map((d): Change => ({ kind: "deployment-delete", id: d.ID }));
}

/** What may go of one job's records: all of them once it is over and no task is left, else what has ended. */
export function garbageOf({ job, allocs, evals, deployments }: JobRecords): readonly Change[] {
  const ended = allocs.filter((alloc) => isClientTerminal(alloc) && mayForget(alloc, job));
  const isAllGone = ended.length === allocs.length && !evals.some(isOpen);
  const isOver = isAllGone && job?.Status === "dead" && (job.Stop || (!isParent(job) && isBatch(job.Type)));
  const left = new Set(allocs.filter((alloc) => !ended.includes(alloc)).map(({ EvalID }) => EvalID));
  const mayGo = (over: boolean): boolean => over || isOver || job === undefined;
  return [
    ...ended.map((alloc): Change => ({ kind: "alloc-delete", id: alloc.ID })),
    ...(job && isOver ? [{ kind: "job-delete", namespace: job.Namespace, id: job.ID } satisfies Change] : []),
    ...evals.filter((e) => !isOpen(e) && mayGo(!left.has(e.ID))).map((e): Change => ({ kind: "eval-delete", id: e.ID })),
    ...deployments
      .filter((d) => mayGo(d.Status !== "running" && d.Status !== "paused" && d.JobVersion !== job?.Version))
      .map((d): Change => ({ kind: "deployment-delete", id: d.ID })),
  ];
}

const isBatch = (type: string): boolean => type === "batch" || type === "sysbatch";
