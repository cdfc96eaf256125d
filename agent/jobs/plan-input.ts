import type { Allocation, DesiredAllocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation, EvaluationTrigger } from "../model/evaluation.js";
import type { Usage } from "../model/fit.js";
import type { Job } from "../model/job.js";
import type { Node } from "../model/node.js";
import type { PlacementSources } from "../model/placement.js";
import type { UnixNano } from "../model/units.js";
import type { Change } from "../store/state-store.js";

export interface PlanInput {
  readonly namespace: string;
  readonly jobId: string;
  readonly job: Job | undefined;
  /** The kept versions of the job, newest first. */
  readonly versions: readonly Job[];
  /** All that are known under the job's id. */
  readonly allocs: readonly Allocation[];
  readonly evals: readonly Evaluation[];
  readonly deployments: readonly Deployment[];
  /** Why: an evaluation that is to be worked on, or what has happened, which becomes an evaluation if it leads to anything. */
  readonly cause: Evaluation | EvaluationTrigger;
  readonly node: Node;
  /** What the host's allocations use. The plan adds to it what it places. */
  readonly usage: Usage;
  /** Allocations of other jobs that may give way to this one. */
  readonly preemptible: readonly Allocation[];
  readonly now: UnixNano;
  readonly index: number;
  readonly noShutdownDelay: boolean;
  readonly sources: PlacementSources & { readonly newId: () => string };
}

/** What is to be committed. Empty when nothing has to change. */
export interface Plan {
  readonly changes: readonly Change[];
  /** The allocations that it creates: they hold resources and ports from now on. */
  readonly creates: readonly DesiredAllocation[];
  /** The evaluation with its outcome; undefined when nothing came of it. */
  readonly evaluation: Evaluation | undefined;
}

/** What a new evaluation says of its job; after a purge only its allocations still know. */
export function evalSubject({
  job,
  namespace,
  jobId,
  allocs,
}: PlanInput): Pick<Job, "Namespace" | "ID" | "Priority" | "Type" | "JobModifyIndex"> {
  const known = job ?? allocs.at(-1)?.Job;
  return {
    Namespace: namespace,
    ID: jobId,
    Priority: known?.Priority ?? 50,
    Type: known?.Type ?? "service",
    JobModifyIndex: known?.JobModifyIndex ?? 0,
  };
}
