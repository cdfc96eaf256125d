import { type Allocation, type DesiredAllocation, isDesiredTerminal } from "../model/allocation.js";
import type { Decision } from "../model/decision.js";
import { type Deployment, isActive } from "../model/deployment.js";
import { advanceDeployment, cancelDeployment, startDeployment } from "../model/deployment-progress.js";
import type { Evaluation, EvaluationTrigger } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import { jobStatus } from "../model/job-status.js";
import { placeable } from "../model/parent-job.js";
import { reconcile } from "../model/reconcile.js";
import { rollBack } from "../model/rollback.js";
import type { Change } from "../store/state-store.js";
import { newEvaluation } from "./evaluations.js";
import { nextVersion } from "./job-version.js";
import { evalChange, evaluated, followUps, isWorthAnEvaluation, rollingEval, rollingUntil } from "./plan-evals.js";
import { evalSubject, type Plan, type PlanInput } from "./plan-input.js";
import { type Created, type Placed, placeAll } from "./plan-placement.js";

/** One evaluation of one job on this node, as a function of what is known. */
export function planJob(input: PlanInput): Plan {
  const { job, now, cause, sources } = input;
  const known = input.deployments.find((d) => job !== undefined && d.JobVersion === job.Version && d.JobCreateIndex === job.CreateIndex);
  // What has become of it decides what is done next: a promotion, a failure.
  const seen = known && advanced(input, known, NOTHING_DONE);
  const decision = reconcile({
    job: job && placeable(job),
    allocs: input.allocs,
    deployment: seen,
    now,
    isAsked: isAsked(cause),
    rollingUntil: rollingUntil(input),
  });

  const evaluation = typeof cause === "string" ? newEvaluation(sources.newId(), evalSubject(input), cause, now) : cause;
  const started = seen ?? (job && startsDeployment(decision) ? startDeployment(job, sources.newId(), now, decision.canaries) : null);
  const placed = placeAll(input, decision, evaluation.ID, started);
  const followups = followUps(input, decision, evaluation.ID);
  const rolling = decision.rollAt === null ? null : rollingEval(input, decision.rollAt, evaluation.ID);
  const outcome = started && advanced(input, started, { decision, placed });
  const failedNow = outcome?.Status === "failed" && known?.Status !== "failed" && job ? rollBack(outcome, job, input.versions) : null;
  const deployment = failedNow?.deployment ?? outcome;

  const allocChanges = [
    ...creations(placed.created),
    ...patches(input, decision, placed, started, followups),
    ...promotions(input, deployment),
  ];
  const isWorth = isWorthAnEvaluation(input, allocChanges.length > 0 || rolling !== null, placed);
  const followers = { followups: followups.map((f) => f.eval), rolling, deployment };
  const evals = isWorth ? evaluated(input, evaluation, decision, placed, followers) : [];
  const all = [
    ...allocChanges,
    ...deploymentChanges(input, deployment, known),
    ...evals.map(evalChange),
    ...displacedJobs(input, placed.created, evaluation.ID),
  ];
  return {
    changes: [...all, ...(failedNow?.target && job ? revert(input, job, failedNow.target) : jobChanges(input, all, placed, deployment))],
    creates: placed.created.map(({ alloc }) => alloc),
    evaluation: evals.find((e) => e.ID === evaluation.ID),
  };
}

/** Whether somebody wants the job to be looked at as if it were new. */
const isAsked = (cause: Evaluation | EvaluationTrigger): boolean =>
  typeof cause !== "string" && (cause.TriggeredBy === "job-register" || cause.TriggeredBy === "node-update");

function creations(created: readonly Created[]): Change[] {
  return created.flatMap(({ alloc, placement }): Change[] => {
    const creation: Change = { kind: "alloc-create", alloc };
    return placement.canary ? [creation, health(alloc.ID, { Healthy: null, Timestamp: null, Canary: true, ModifyIndex: 0 })] : [creation];
  });
}

const health = (id: string, DeploymentStatus: Allocation["DeploymentStatus"]): Change => ({
  kind: "alloc-observed",
  id,
  patch: { DeploymentStatus },
});

/** What changes of the allocations that are there. */
function patches(
  input: PlanInput,
  decision: Decision,
  placed: Placed,
  deployment: Deployment | null,
  followups: ReturnType<typeof followUps>,
): Change[] {
  const { job, noShutdownDelay } = input;
  const parts = new Map<string, Partial<DesiredAllocation>>();
  const patch = (id: string, part: Partial<DesiredAllocation>): void => void parts.set(id, { ...parts.get(id), ...part });
  for (const { alloc, description } of decision.stop) {
    const transition = noShutdownDelay ? { DesiredTransition: { ...alloc.DesiredTransition, NoShutdownDelay: true } } : {};
    patch(alloc.ID, { DesiredStatus: "stop", DesiredDescription: description, ...transition });
  }
  for (const { placement, alloc, victims } of placed.created) {
    const { previous, stopPrevious } = placement;
    if (previous) patch(previous.ID, { NextAllocation: alloc.ID });
    if (previous && stopPrevious !== null) patch(previous.ID, { DesiredStatus: "stop", DesiredDescription: stopPrevious });
    for (const victim of victims) {
      const DesiredDescription = `Preempted by alloc ID ${alloc.ID}`;
      patch(victim.ID, { DesiredStatus: "evict", DesiredDescription, PreemptedByAllocation: alloc.ID });
    }
  }
  const rejudged: Change[] = [];
  for (const alloc of decision.inPlace) {
    const joins = deployment?.TaskGroups[alloc.TaskGroup] !== undefined && alloc.DeploymentID !== deployment.ID;
    patch(alloc.ID, { ...(job && { Job: job }), ...(joins && { DeploymentID: deployment.ID }) });
    if (joins && alloc.DeploymentStatus) rejudged.push(health(alloc.ID, null));
  }
  for (const followup of followups) for (const id of followup.allocs) patch(id, { FollowupEvalID: followup.eval.ID });
  return [...[...parts].map(([id, part]): Change => ({ kind: "alloc-desired", id, patch: part })), ...rejudged];
}

/** A promoted canary is one like the others. */
function promotions({ allocs }: PlanInput, deployment: Deployment | null): Change[] {
  return allocs.flatMap((a) => {
    const isPromoted = a.DeploymentID === deployment?.ID && deployment.TaskGroups[a.TaskGroup]?.Promoted;
    return isPromoted && a.DeploymentStatus?.Canary ? [health(a.ID, { ...a.DeploymentStatus, Canary: false, ModifyIndex: 0 })] : [];
  });
}

const startsDeployment = (decision: Decision): boolean => decision.place.length + decision.inPlace.length + decision.heldBack > 0;

/** Undefined: nothing is done yet. */
const NOTHING_DONE = undefined;

function advanced(
  { job, allocs, now }: PlanInput,
  deployment: Deployment,
  done: { readonly decision: Decision; readonly placed: Placed } | undefined,
): Deployment {
  if (!job || job.Stop) return deployment;
  const joining = new Set(done?.decision.inPlace.map((a) => a.ID));
  const stopping = new Set(done?.decision.stop.map(({ alloc }) => alloc.ID));
  for (const { placement } of done?.placed.created ?? []) if (placement.stopPrevious !== null) stopping.add(placement.previous?.ID ?? "");
  const placed = new Map<string, number>();
  const canaries = new Map<string, string[]>();
  for (const { alloc, placement } of done?.placed.created ?? []) {
    if (alloc.DeploymentID !== deployment.ID) continue;
    placed.set(alloc.TaskGroup, (placed.get(alloc.TaskGroup) ?? 0) + 1);
    if (placement.canary) canaries.set(alloc.TaskGroup, [...(canaries.get(alloc.TaskGroup) ?? []), alloc.ID]);
  }
  return advanceDeployment(deployment, {
    job,
    // How well it was as a member of another deployment says nothing.
    members: allocs
      .filter((a) => a.DeploymentID === deployment.ID || joining.has(a.ID))
      .map((a) => (a.DeploymentID === deployment.ID ? a : { ...a, DeploymentStatus: null }))
      .map((a) => (stopping.has(a.ID) ? { ...a, DesiredStatus: "stop" as const } : a)),
    placed,
    canaries,
    unfinished: done === undefined || done.decision.heldBack + done.placed.failed.size + done.placed.created.length > 0,
    now,
  });
}

function deploymentChanges(input: PlanInput, next: Deployment | null, before: Deployment | undefined): Change[] {
  const changes: Change[] = next && next !== before ? [{ kind: "deployment", deployment: next }] : [];
  for (const old of input.deployments) {
    const left = old.ID !== before?.ID || input.job?.Stop;
    if (left && isActive(old)) {
      changes.push({ kind: "deployment", deployment: cancelDeployment(old, !input.job || input.job.Stop, input.now) });
    }
  }
  return changes;
}

/** The jobs whose allocations give way are looked at again. */
function displacedJobs({ sources, now }: PlanInput, created: readonly Created[], previousEval: string): Change[] {
  const jobs = new Map(created.flatMap(({ victims }) => victims.map((v) => [`${v.Namespace}/${v.JobID}`, v] as const)));
  return [...jobs.values()].map((v) => {
    const subject = { ...v.Job, Namespace: v.Namespace, ID: v.JobID };
    return evalChange({ ...newEvaluation(sources.newId(), subject, "preemption", now), PreviousEval: previousEval });
  });
}

/** Back to a version that was stable, as a new one. */
function revert(input: PlanInput, job: Job, target: Job): Change[] {
  const evaluation = newEvaluation(input.sources.newId(), evalSubject(input), "deployment-watcher", input.now);
  return [nextVersion(target, job, input.now), evalChange(evaluation)];
}

/** The job's own status, as it is once the other changes are made. */
function jobChanges(input: PlanInput, changes: readonly Change[], placed: Placed, deployment: Deployment | null): Change[] {
  const { job } = input;
  if (!job) return [];
  const stopped = new Set(changes.flatMap((c) => (c.kind === "alloc-desired" && c.patch.DesiredStatus === "stop" ? [c.id] : [])));
  const active = input.allocs.filter(
    (a) => !a.Ingested && a.Job.CreateIndex === job.CreateIndex && !stopped.has(a.ID) && !isDesiredTerminal(a),
  );
  const evals = new Map(input.evals.map((e) => [e.ID, e]));
  for (const change of changes) if (change.kind === "eval" && change.eval.JobID === job.ID) evals.set(change.eval.ID, change.eval);
  const pending = placed.created.length > 0 ? [{ ClientStatus: "pending" as const, DesiredStatus: "run" as const }] : [];
  const Status = jobStatus(job, [...active, ...pending], [...evals.values()]);
  const Stable = job.Stable || deployment?.Status === "successful";
  return Status === job.Status && Stable === job.Stable ? [] : [{ kind: "job", job: { ...job, Status, Stable }, spec: false }];
}
