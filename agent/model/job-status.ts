import { type Allocation, isClientTerminal, isDesiredTerminal } from "./allocation.js";
import type { Evaluation } from "./evaluation.js";
import type { Job, JobStatus } from "./job.js";
import { isParent } from "./parent-job.js";

/**
 * Whether a job runs, waits for room or for a time, or is over. Source: Nomad's state store, getJobStatus.
 *
 * @param evals the job's evaluations.
 */
export function jobStatus(
  job: Job,
  allocs: readonly Pick<Allocation, "ClientStatus" | "DesiredStatus">[],
  evals: readonly Pick<Evaluation, "Status">[],
): JobStatus {
  if ((job.Type === "system" || isParent(job)) && !job.Stop) return "running";
  if (allocs.some((a) => !isClientTerminal(a) && !isDesiredTerminal(a))) return "running";
  return evals.some(isOpen) ? "pending" : "dead";
}

/** An evaluation that is still to be worked on. */
export const isOpen = (evaluation: Pick<Evaluation, "Status">): boolean =>
  evaluation.Status === "pending" || evaluation.Status === "blocked";
