import type { Decision } from "../model/decision.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import { computedClass, escapesClass } from "../model/feasibility.js";
import { isOpen } from "../model/job-status.js";
import { SECOND, type UnixNano } from "../model/units.js";
import type { Change } from "../store/state-store.js";
import { newEvaluation } from "./evaluations.js";
import { evalSubject, type PlanInput } from "./plan-input.js";
import type { Placed } from "./plan-placement.js";

/** Failures whose next attempts lie this close together share one follow-up evaluation. */
const FOLLOWUP_WINDOW = BigInt(SECOND);

export interface FollowUp {
  readonly eval: Evaluation;
  readonly allocs: readonly string[];
}

/** Never earlier than a policy says: a shared evaluation waits for the latest of its allocations. */
export function followUps(input: PlanInput, decision: Decision, previousEval: string): readonly FollowUp[] {
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

/** The evaluation that takes up the next groups of a system job. */
export const rollingEval = (input: PlanInput, at: UnixNano, previousEval: string): Evaluation => ({
  ...newEvaluation(input.sources.newId(), evalSubject(input), "rolling-update", input.now),
  WaitUntil: at,
  PreviousEval: previousEval,
});

/** Until when a rolling update of the job waits, other than for this evaluation. */
export function rollingUntil({ cause, evals }: PlanInput): UnixNano | null {
  const id = typeof cause === "string" ? "" : cause.ID;
  const waiting = evals.filter((e) => e.ID !== id && e.Status === "pending" && e.TriggeredBy === "rolling-update");
  return waiting.reduce<UnixNano | null>(
    (last, { WaitUntil }) => (WaitUntil !== null && WaitUntil > (last ?? 0n) ? WaitUntil : last),
    null,
  );
}

/**
 * An evaluation that somebody asked for always gets its outcome. What merely happened is told only when it leads to
 * something, and that there is no room is told once.
 */
export function isWorthAnEvaluation({ cause, evals }: PlanInput, changesAny: boolean, placed: Placed): boolean {
  if (changesAny) return true;
  if (typeof cause !== "string") return cause.Status !== "blocked" || placed.failed.size === 0;
  return placed.failed.size > 0 && !evals.some((e) => e.Status === "blocked");
}

/** The evaluation with its outcome, those that follow from it, and those that it makes superfluous. */
export function evaluated(
  input: PlanInput,
  evaluation: Evaluation,
  decision: Decision,
  placed: Placed,
  next: { readonly followups: readonly Evaluation[]; readonly rolling: Evaluation | null; readonly deployment: Deployment | null },
): readonly Evaluation[] {
  const { now, job, evals } = input;
  const failures = Object.fromEntries([...placed.failed].map(([group, f]) => [group, { ...f.metrics, CoalescedFailures: f.count - 1 }]));
  const outcome = {
    // The evaluation was made in the same transaction as the job's version, whose index it could not know yet.
    JobModifyIndex: job?.JobModifyIndex === evaluation.CreateIndex ? evaluation.CreateIndex : evaluation.JobModifyIndex,
    DeploymentID: next.deployment?.ID ?? "",
    FailedTGAllocs: placed.failed.size ? failures : null,
    QueuedAllocations: Object.fromEntries((job?.TaskGroups ?? []).map(({ Name }) => [Name, placed.failed.get(Name)?.count ?? 0])),
    PlanAnnotations: annotations(decision, placed),
    SnapshotIndex: input.index,
    ModifyTime: now,
  };
  const followers = [...next.followups, ...(next.rolling ? [next.rolling] : [])];
  // A blocked evaluation that found room for some stays blocked for the others.
  if (evaluation.Status === "blocked" && placed.failed.size) return [{ ...evaluation, ...outcome }, ...followers];
  const blocked: Evaluation | null = placed.failed.size
    ? {
        ...newEvaluation(input.sources.newId(), evalSubject(input), "queued-allocs", now),
        ...outcome,
        ...eligibility(input, placed),
        Status: "blocked",
        StatusDescription: "created to place remaining allocations",
        PreviousEval: evaluation.ID,
      }
    : null;
  const isSuperseded = job && !job.Stop ? (e: Evaluation) => e.Status === "blocked" : isOpen;
  const superfluous = evals.filter((e) => e.ID !== evaluation.ID && isSuperseded(e));
  return [
    {
      ...evaluation,
      ...outcome,
      Status: "complete",
      StatusDescription: "",
      BlockedEval: blocked?.ID ?? "",
      NextEval: next.rolling?.ID ?? "",
    },
    ...(blocked ? [blocked] : []),
    ...followers,
    ...superfluous.map(
      (e): Evaluation => ({ ...e, Status: "canceled", StatusDescription: `superseded by evaluation ${evaluation.ID}`, ModifyTime: now }),
    ),
  ];
}

export const evalChange = (evaluation: Evaluation): Change => ({ kind: "eval", eval: evaluation });

/** Which nodes a blocked evaluation may wait for. */
function eligibility({ job, node }: PlanInput, placed: Placed): Partial<Evaluation> {
  const groups = (job?.TaskGroups ?? []).filter((group) => placed.failed.has(group.Name));
  const whys = [...placed.failed.values()].map((failure) => failure.why);
  const fits = whys.includes("exhausted");
  return {
    // A node that takes nothing at all was not looked at, and so says nothing of its class.
    ClassEligibility: fits || whys.includes("filtered") ? { [computedClass(node)]: fits } : null,
    EscapedComputedClass: job !== undefined && groups.some((group) => escapesClass(job, group)),
    QuotaLimitReached: "",
  };
}

function annotations(decision: Decision, placed: Placed): unknown {
  const victims = placed.created.flatMap((created) => created.victims.map((victim) => ({ group: created.alloc.TaskGroup, victim })));
  return {
    DesiredTGUpdates: Object.fromEntries(
      Object.entries(decision.updates).map(([group, counts]) => [
        group,
        { ...counts, Preemptions: victims.filter((v) => v.group === group).length, Disconnect: 0, Reconnect: 0 },
      ]),
    ),
    PreemptedAllocs: victims.length
      ? victims.map(({ victim }) => ({
          ID: victim.ID,
          JobID: victim.JobID,
          JobType: victim.Job.Type,
          Namespace: victim.Namespace,
          TaskGroup: victim.TaskGroup,
          NodeID: victim.NodeID,
        }))
      : null,
  };
}
