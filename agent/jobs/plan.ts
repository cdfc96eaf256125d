import {
  type Allocation,
  type AllocMetric,
  type DesiredAllocation,
  type DesiredTransition,
  isDesiredTerminal,
} from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import { advanceDeployment, cancelDeployment, startDeployment } from "../model/deployment-progress.js";
import type { Evaluation, EvaluationTrigger } from "../model/evaluation.js";
import type { Usage } from "../model/fit.js";
import type { Job } from "../model/job.js";
import { isOpen, jobStatus } from "../model/job-status.js";
import type { Node } from "../model/node.js";
import { placeable } from "../model/parent-job.js";
import { type PlacementSources, placeGroup } from "../model/placement.js";
import { type Decision, type GroupUpdates, type Placement, reconcile } from "../model/reconcile.js";
import { SECOND, type UnixNano } from "../model/units.js";
import type { Change } from "../store/state-store.js";
import { newEvaluation } from "./evaluations.js";

/** Failures whose next attempts lie this close together share one follow-up evaluation. */
const FOLLOWUP_WINDOW = BigInt(SECOND);

export interface PlanInput {
  readonly namespace: string;
  readonly jobId: string;
  readonly job: Job | undefined;
  /** All that are known under the job's id. */
  readonly allocs: readonly Allocation[];
  readonly evals: readonly Evaluation[];
  readonly deployments: readonly Deployment[];
  /** Why: an evaluation that is to be worked on, or what has happened, which becomes an evaluation if it leads to anything. */
  readonly cause: Evaluation | EvaluationTrigger;
  readonly node: Node;
  /** What the host's allocations use. The plan adds to it what it places. */
  readonly usage: Usage;
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
}

const NO_TRANSITION: DesiredTransition = {
  Migrate: null,
  Reschedule: null,
  ForceReschedule: null,
  NoShutdownDelay: null,
  MigrateDisablePlacement: null,
};

/** One evaluation of one job on this node, as a function of what is known. */
export function planJob(input: PlanInput): Plan {
  const { job, now, cause } = input;
  const active = input.deployments.find((d) => job !== undefined && d.JobVersion === job.Version && d.JobCreateIndex === job.CreateIndex);
  const decision = reconcile({ job: job && placeable(job), allocs: input.allocs, deployment: active, now });

  const given = typeof cause === "string" ? null : cause;
  const evaluation = given ?? newEvaluation(input.sources.newId(), evalSubject(input), cause as EvaluationTrigger, now);
  const started = active ?? (job && startsDeployment(decision) ? startDeployment(job, input.sources.newId(), now) : null);
  const placed = placeAll(input, decision, evaluation.ID, started);
  const followups = followUps(input, decision, evaluation.ID);

  const patches = new Map<string, Partial<DesiredAllocation>>();
  const patch = (id: string, part: Partial<DesiredAllocation>): void => void patches.set(id, { ...patches.get(id), ...part });
  for (const { alloc, description } of decision.stop) patch(alloc.ID, stopPatch(alloc, description, input.noShutdownDelay));
  for (const { placement, alloc } of placed.created) {
    const { previous, stopPrevious } = placement;
    if (previous) patch(previous.ID, { NextAllocation: alloc.ID });
    if (previous && stopPrevious !== null) patch(previous.ID, { DesiredStatus: "stop", DesiredDescription: stopPrevious });
  }
  for (const alloc of decision.inPlace) {
    patch(alloc.ID, { ...(job && { Job: job }), ...(started?.TaskGroups[alloc.TaskGroup] && { DeploymentID: started.ID }) });
  }
  for (const followup of followups) for (const id of followup.allocs) patch(id, { FollowupEvalID: followup.eval.ID });

  const deployment = started && job ? advanced(input, job, decision, placed, started) : null;
  const allocChanges: Change[] = [
    ...placed.created.map(({ alloc }): Change => ({ kind: "alloc-create", alloc })),
    ...[...patches].map(([id, part]): Change => ({ kind: "alloc-desired", id, patch: part })),
  ];
  const evalChanges = isWorthAnEvaluation(input, allocChanges, placed)
    ? evaluated(
        input,
        evaluation,
        decision,
        placed,
        followups.map((f) => f.eval),
        deployment,
      )
    : [];
  const all = [...allocChanges, ...deploymentChanges(input, deployment, active), ...evalChanges];
  return {
    changes: [...all, ...jobChanges(input, all, placed.created.length > 0, deployment)],
    creates: placed.created.map(({ alloc }) => alloc),
  };
}

/**
 * An evaluation that somebody asked for always gets its outcome. What merely happened is told only when it leads to
 * something, and that there is no room is told once.
 */
function isWorthAnEvaluation({ cause, evals }: PlanInput, allocChanges: readonly Change[], placed: Placed): boolean {
  if (allocChanges.length > 0) return true;
  if (typeof cause !== "string") return cause.Status !== "blocked" || placed.failed.size === 0;
  return placed.failed.size > 0 && !evals.some((e) => e.Status === "blocked");
}

interface Placed {
  readonly created: readonly { readonly placement: Placement; readonly alloc: DesiredAllocation }[];
  /** Groups that did not fit, with how many of their allocations. */
  readonly failed: ReadonlyMap<string, { readonly metrics: AllocMetric; readonly count: number }>;
}

function placeAll(input: PlanInput, decision: Decision, evalId: string, deployment: Deployment | null): Placed {
  const { job, node, usage, sources } = input;
  const created: { placement: Placement; alloc: DesiredAllocation }[] = [];
  const failed = new Map<string, { metrics: AllocMetric; count: number }>();
  for (const placement of job ? decision.place : []) {
    const { group, previous } = placement;
    const full = failed.get(group.Name);
    // After the first that has no room the rest of the group has none either, unless it takes another one's place.
    const result = full && !previous ? null : placeGroup(job as Job, group, node, usage, sources, previous?.ID);
    if (!result?.fits) {
      const metrics = full?.metrics ?? result?.metrics;
      if (metrics) failed.set(group.Name, { metrics, count: (full?.count ?? 0) + 1 });
      continue;
    }
    const id = sources.newId();
    usage.add(id, result.cost, previous ? usage.costOf(previous.ID) : undefined);
    const alloc: DesiredAllocation = {
      ID: id,
      Namespace: input.namespace,
      EvalID: evalId,
      Name: placement.name,
      NodeID: node.ID,
      NodeName: node.Name,
      JobID: input.jobId,
      Job: job as Job,
      TaskGroup: group.Name,
      AllocatedResources: result.resources,
      Metrics: result.metrics,
      DesiredStatus: "run",
      DesiredDescription: "",
      DesiredTransition: NO_TRANSITION,
      PreviousAllocation: previous?.ID ?? "",
      NextAllocation: "",
      DeploymentID: deployment?.TaskGroups[group.Name] ? deployment.ID : "",
      RescheduleTracker: placement.tracker,
      FollowupEvalID: "",
      PreemptedAllocations: null,
      PreemptedByAllocation: "",
      Ingested: false,
      SourceIndex: 0,
    };
    created.push({ placement, alloc });
  }
  return { created, failed };
}

function stopPatch(alloc: Allocation, description: string, noShutdownDelay: boolean): Partial<DesiredAllocation> {
  const transition = noShutdownDelay ? { DesiredTransition: { ...alloc.DesiredTransition, NoShutdownDelay: true } } : {};
  return { DesiredStatus: "stop", DesiredDescription: description, ...transition };
}

interface FollowUp {
  readonly eval: Evaluation;
  readonly allocs: readonly string[];
}

/** Never earlier than a policy says: a shared evaluation waits for the latest of its allocations. */
function followUps(input: PlanInput, decision: Decision, previousEval: string): readonly FollowUp[] {
  const batches: { from: UnixNano; to: UnixNano; allocs: string[] }[] = [];
  for (const { alloc, at } of [...decision.later].sort((a, b) => (a.at < b.at ? -1 : 1))) {
    const batch = batches.at(-1);
    if (batch && at - batch.from <= FOLLOWUP_WINDOW) {
      batch.to = at;
      batch.allocs.push(alloc.ID);
    } else batches.push({ from: at, to: at, allocs: [alloc.ID] });
  }
  return batches.map(({ to, allocs }) => ({
    allocs,
    eval: {
      ...newEvaluation(input.sources.newId(), evalSubject(input), "alloc-failure", input.now),
      StatusDescription: "created for delayed rescheduling",
      WaitUntil: to,
      PreviousEval: previousEval,
    },
  }));
}

const startsDeployment = (decision: Decision): boolean => decision.place.length + decision.inPlace.length + decision.heldBack > 0;

function advanced(input: PlanInput, job: Job, decision: Decision, placed: Placed, deployment: Deployment): Deployment {
  const joining = new Set(decision.inPlace.map((a) => a.ID));
  const counts = new Map<string, number>();
  for (const { alloc } of placed.created) counts.set(alloc.TaskGroup, (counts.get(alloc.TaskGroup) ?? 0) + 1);
  return advanceDeployment(deployment, {
    job,
    members: input.allocs.filter((a) => a.DeploymentID === deployment.ID || joining.has(a.ID)),
    placed: counts,
    unfinished: decision.heldBack + placed.failed.size + placed.created.length > 0,
    now: input.now,
  });
}

function deploymentChanges(input: PlanInput, next: Deployment | null, before: Deployment | undefined): Change[] {
  const changes: Change[] = next && next !== before ? [{ kind: "deployment", deployment: next }] : [];
  for (const old of input.deployments) {
    const left = old.ID !== before?.ID || input.job?.Stop;
    if (left && old.Status === "running") {
      changes.push({ kind: "deployment", deployment: cancelDeployment(old, !input.job || input.job.Stop, input.now) });
    }
  }
  return changes;
}

/** The evaluation with its outcome, those that follow from it, and those that it makes superfluous. */
function evaluated(
  input: PlanInput,
  evaluation: Evaluation,
  decision: Decision,
  placed: Placed,
  followups: readonly Evaluation[],
  deployment: Deployment | null,
): Change[] {
  const { now, job, evals } = input;
  const failures = Object.fromEntries([...placed.failed].map(([group, f]) => [group, { ...f.metrics, CoalescedFailures: f.count - 1 }]));
  const outcome = {
    // The evaluation was made in the same transaction as the job's version, whose index it could not know yet.
    JobModifyIndex: job?.JobModifyIndex === evaluation.CreateIndex ? evaluation.CreateIndex : evaluation.JobModifyIndex,
    DeploymentID: deployment?.ID ?? "",
    FailedTGAllocs: placed.failed.size ? failures : null,
    QueuedAllocations: Object.fromEntries((job?.TaskGroups ?? []).map(({ Name }) => [Name, placed.failed.get(Name)?.count ?? 0])),
    PlanAnnotations: annotations(decision.updates),
    SnapshotIndex: input.index,
    ModifyTime: now,
  };
  // A blocked evaluation that found room for some stays blocked for the others.
  if (evaluation.Status === "blocked" && placed.failed.size) {
    return [{ kind: "eval", eval: { ...evaluation, ...outcome } }, ...followups.map((e): Change => ({ kind: "eval", eval: e }))];
  }
  const blocked: Evaluation | null = placed.failed.size
    ? {
        ...newEvaluation(input.sources.newId(), evalSubject(input), "queued-allocs", now),
        ...outcome,
        Status: "blocked",
        StatusDescription: "created to place remaining allocations",
        PreviousEval: evaluation.ID,
      }
    : null;
  const ended = job && !job.Stop ? (e: Evaluation) => e.Status === "blocked" : isOpen;
  const superfluous = evals.filter((e) => e.ID !== evaluation.ID && ended(e));
  const results: Evaluation[] = [
    { ...evaluation, ...outcome, Status: "complete", StatusDescription: "", BlockedEval: blocked?.ID ?? "" },
    ...(blocked ? [blocked] : []),
    ...followups,
    ...superfluous.map(
      (e): Evaluation => ({ ...e, Status: "canceled", StatusDescription: `superseded by evaluation ${evaluation.ID}`, ModifyTime: now }),
    ),
  ];
  return results.map((e): Change => ({ kind: "eval", eval: e }));
}

const annotations = (updates: Readonly<Record<string, GroupUpdates>>): unknown => ({
  DesiredTGUpdates: Object.fromEntries(
    Object.entries(updates).map(([group, counts]) => [group, { ...counts, Canary: 0, Preemptions: 0, Disconnect: 0, Reconnect: 0 }]),
  ),
  PreemptedAllocs: null,
});

/** The job's own status, as it is once the other changes are made. */
function jobChanges(input: PlanInput, changes: readonly Change[], placedAny: boolean, deployment: Deployment | null): Change[] {
  const { job } = input;
  if (!job) return [];
  const stopped = new Set(changes.flatMap((c) => (c.kind === "alloc-desired" && c.patch.DesiredStatus === "stop" ? [c.id] : [])));
  const active = input.allocs.filter(
    (a) => !a.Ingested && a.Job.CreateIndex === job.CreateIndex && !stopped.has(a.ID) && !isDesiredTerminal(a),
  );
  const evals = new Map(input.evals.map((e) => [e.ID, e]));
  for (const change of changes) if (change.kind === "eval") evals.set(change.eval.ID, change.eval);
  const pending = placedAny ? [{ ClientStatus: "pending" as const, DesiredStatus: "run" as const }] : [];
  const Status = jobStatus(job, [...active, ...pending], [...evals.values()]);
  const Stable = job.Stable || deployment?.Status === "successful";
  return Status === job.Status && Stable === job.Stable ? [] : [{ kind: "job", job: { ...job, Status, Stable }, spec: false }];
}

/** What a new evaluation says of its job; after a purge only its allocations still know. */
function evalSubject({ job, namespace, jobId, allocs }: PlanInput): Pick<Job, "Namespace" | "ID" | "Priority" | "Type" | "JobModifyIndex"> {
  const known = job ?? allocs.at(-1)?.Job;
  return {
    Namespace: namespace,
    ID: jobId,
    Priority: known?.Priority ?? 50,
    Type: known?.Type ?? "service",
    JobModifyIndex: known?.JobModifyIndex ?? 0,
  };
}
