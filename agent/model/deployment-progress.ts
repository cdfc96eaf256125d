import { type Allocation, isClientTerminal, isDesiredTerminal } from "./allocation.js";
import type { Deployment, DeploymentState } from "./deployment.js";
import type { Job } from "./job.js";
import { rescheduleAt } from "./reschedule.js";
import type { UnixNano } from "./units.js";

/** Nomad's texts for a deployment's StatusDescription. */
const TEXT = {
  running: "Deployment is running",
  successful: "Deployment completed successfully",
  unhealthy: "Failed due to unhealthy allocations",
  late: "Failed due to progress deadline",
  newer: "Cancelled due to newer version of job",
  stopped: "Cancelled because job is stopped",
} as const;

/** A deployment of this version of the job, or null when no group has an update strategy that needs one. */
export function startDeployment(job: Job, id: string, now: UnixNano): Deployment | null {
  if (job.Type !== "service") return null;
  const groups = job.TaskGroups.flatMap((group) => (group.Update && group.Update.MaxParallel > 0 ? [{ group, update: group.Update }] : []));
  if (!groups.length) return null;
  const states = groups.map(({ group, update }): [string, DeploymentState] => [
    group.Name,
    {
      AutoRevert: update.AutoRevert,
      AutoPromote: update.AutoPromote,
      ProgressDeadline: update.ProgressDeadline,
      RequireProgressBy: deadlineAfter(now, update.ProgressDeadline),
      Promoted: false,
      PlacedCanaries: null,
      DesiredCanaries: 0,
      DesiredTotal: group.Count,
      PlacedAllocs: 0,
      HealthyAllocs: 0,
      UnhealthyAllocs: 0,
    },
  ]);
  return {
    ID: id,
    Namespace: job.Namespace,
    JobID: job.ID,
    JobVersion: job.Version,
    JobModifyIndex: job.ModifyIndex,
    JobSpecModifyIndex: job.JobModifyIndex,
    JobCreateIndex: job.CreateIndex,
    IsMultiregion: false,
    TaskGroups: Object.fromEntries(states),
    Status: "running",
    StatusDescription: TEXT.running,
    EvalPriority: job.Priority,
    CreateIndex: 0,
    ModifyIndex: 0,
    CreateTime: now,
    ModifyTime: now,
  };
}

/** What a deployment's progress depends on. */
export interface DeploymentView {
  readonly job: Job;
  /** The allocations that belong to it. */
  readonly members: readonly Allocation[];
  /** Placements that are about to be added, by group. */
  readonly placed: ReadonlyMap<string, number>;
  /** Something of this version is still to be placed or updated. */
  readonly unfinished: boolean;
  readonly now: UnixNano;
}

/** The deployment with its counts and status brought up to date: the same object when nothing has changed. */
export function advanceDeployment(deployment: Deployment, view: DeploymentView): Deployment {
  if (deployment.Status !== "running") return deployment;
  const groups = Object.fromEntries(Object.entries(deployment.TaskGroups).map(([name, state]) => [name, advanceGroup(name, state, view)]));
  const [Status, StatusDescription] = statusOf(deployment, groups, view);
  const changed = Status !== deployment.Status || Object.entries(groups).some(([name, state]) => state !== deployment.TaskGroups[name]);
  return changed ? { ...deployment, TaskGroups: groups, Status, StatusDescription, ModifyTime: view.now } : deployment;
}

/** Ends a deployment that its job has left behind. */
export function cancelDeployment(deployment: Deployment, jobStopped: boolean, now: UnixNano): Deployment {
  return { ...deployment, Status: "cancelled", StatusDescription: jobStopped ? TEXT.stopped : TEXT.newer, ModifyTime: now };
}

/** When a running deployment fails unless it gets on; null when it may take as long as it likes. */
export function progressDeadline(deployment: Deployment): UnixNano | null {
  if (deployment.Status !== "running") return null;
  const open = Object.values(deployment.TaskGroups).flatMap((s) =>
    isHealthy(s) || s.RequireProgressBy === null ? [] : [s.RequireProgressBy],
  );
  return open.reduce<UnixNano | null>((first, at) => (first === null || at < first ? at : first), null);
}

function advanceGroup(name: string, state: DeploymentState, { members, placed }: DeploymentView): DeploymentState {
  const mine = members.filter((a) => a.TaskGroup === name);
  const healthy = mine.filter((a) => a.DeploymentStatus?.Healthy === true && !isDesiredTerminal(a) && !isClientTerminal(a));
  const progressed = healthy.reduce((latest, { DeploymentStatus }) => {
    const at = DeploymentStatus?.Timestamp ?? 0n;
    return at > latest ? at : latest;
  }, 0n);
  const deadline = deadlineAfter(progressed, state.ProgressDeadline);
  const next: DeploymentState = {
    ...state,
    RequireProgressBy:
      deadline !== null && state.RequireProgressBy !== null && deadline > state.RequireProgressBy ? deadline : state.RequireProgressBy,
    PlacedAllocs: Math.max(state.PlacedAllocs, mine.length + (placed.get(name) ?? 0)),
    HealthyAllocs: healthy.length,
    UnhealthyAllocs: mine.filter((a) => a.DeploymentStatus?.Healthy === false).length,
  };
  const same = (["RequireProgressBy", "PlacedAllocs", "HealthyAllocs", "UnhealthyAllocs"] as const).every((m) => next[m] === state[m]);
  return same ? state : next;
}

function statusOf(deployment: Deployment, groups: Deployment["TaskGroups"], view: DeploymentView): [Deployment["Status"], string] {
  if (Object.values(groups).every(isHealthy) && !view.unfinished) return ["successful", TEXT.successful];
  if (view.members.some((a) => isLostCause(a, view.job, groups))) return ["failed", TEXT.unhealthy];
  const deadline = progressDeadline({ ...deployment, TaskGroups: groups });
  if (deadline !== null && deadline <= view.now) return ["failed", TEXT.late];
  return ["running", TEXT.running];
}

const isHealthy = (state: DeploymentState): boolean => state.HealthyAllocs >= state.DesiredTotal;

/** Unhealthy with no attempt left: either its policy has none, or the strategy has no deadline to try until. */
function isLostCause(alloc: Allocation, job: Job, groups: Deployment["TaskGroups"]): boolean {
  if (alloc.DeploymentStatus?.Healthy !== false || isDesiredTerminal(alloc)) return false;
  if (BigInt(groups[alloc.TaskGroup]?.ProgressDeadline ?? 0) === 0n) return true;
  const policy = job.TaskGroups.find((group) => group.Name === alloc.TaskGroup)?.ReschedulePolicy ?? null;
  return alloc.ClientStatus === "failed" && rescheduleAt(alloc, policy) === null;
}

function deadlineAfter(from: UnixNano, deadline: DeploymentState["ProgressDeadline"]): UnixNano | null {
  const ns = BigInt(deadline);
  return ns > 0n ? from + ns : null;
}
