import { type Allocation, isClientTerminal, isDesiredTerminal } from "./allocation.js";
import { type Deployment, type DeploymentState, isActive } from "./deployment.js";
import { DEPLOYMENT_TEXT, runningText } from "./deployment-text.js";
import type { Job } from "./job.js";
import { rescheduleAt } from "./reschedule.js";
import type { UnixNano } from "./units.js";

/**
 * A deployment of this version of the job, or null when no group has an update strategy that needs one.
 *
 * @param canaries how many a group has to show before the rest of it is updated.
 */
export function startDeployment(job: Job, id: string, now: UnixNano, canaries: Readonly<Record<string, number>> = {}): Deployment | null {
  if (job.Type !== "service") return null;
  const groups = job.TaskGroups.flatMap((group) =>
    group.Count > 0 && group.Update && group.Update.MaxParallel > 0 ? [{ group, update: group.Update }] : [],
  );
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
      DesiredCanaries: canaries[group.Name] ?? 0,
      DesiredTotal: group.Count,
      PlacedAllocs: 0,
      HealthyAllocs: 0,
      UnhealthyAllocs: 0,
    },
  ]);
  const TaskGroups = Object.fromEntries(states);
  return {
    ID: id,
    Namespace: job.Namespace,
    JobID: job.ID,
    JobVersion: job.Version,
    JobModifyIndex: job.ModifyIndex,
    JobSpecModifyIndex: job.JobModifyIndex,
    JobCreateIndex: job.CreateIndex,
    IsMultiregion: false,
    TaskGroups,
    Status: "running",
    StatusDescription: runningText(TaskGroups),
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
  /** The ids of those of them that are canaries, by group. */
  readonly canaries?: ReadonlyMap<string, readonly string[]>;
  /** Something of this version is still to be placed or updated. */
  readonly unfinished: boolean;
  readonly now: UnixNano;
}

/** The deployment with its counts and status brought up to date: the same object when nothing has changed. */
export function advanceDeployment(deployment: Deployment, view: DeploymentView): Deployment {
  if (!isActive(deployment)) return deployment;
  const counted = Object.fromEntries(Object.entries(deployment.TaskGroups).map(([name, state]) => [name, advanceGroup(name, state, view)]));
  const groups = promotesItself(deployment, counted, view) ? promoted(counted, Object.keys(counted), view.now) : counted;
  const [Status, StatusDescription] =
    deployment.Status === "paused" ? [deployment.Status, deployment.StatusDescription] : statusOf(deployment, groups, view);
  const changed =
    Status !== deployment.Status ||
    StatusDescription !== deployment.StatusDescription ||
    Object.entries(groups).some(([name, state]) => state !== deployment.TaskGroups[name]);
  return changed ? { ...deployment, TaskGroups: groups, Status, StatusDescription, ModifyTime: view.now } : deployment;
}

/** The canaries of a group that are healthy. */
export const healthyCanaries = (state: DeploymentState, members: readonly Allocation[]): readonly Allocation[] =>
  members.filter((a) => state.PlacedCanaries?.includes(a.ID) && isHealthyMember(a));

/** The groups with the named ones promoted, which gives them their whole time again. */
export const promoted = (groups: Deployment["TaskGroups"], names: readonly string[], now: UnixNano): Deployment["TaskGroups"] =>
  Object.fromEntries(
    Object.entries(groups).map(([name, state]) => [
      name,
      names.includes(name) && onTrial(state)
        ? { ...state, Promoted: true, RequireProgressBy: deadlineAfter(now, state.ProgressDeadline) }
        : state,
    ]),
  );

const onTrial = (state: DeploymentState): boolean => state.DesiredCanaries > 0 && !state.Promoted;

/** Source: Nomad's deployment watcher, autoPromoteDeployment. */
function promotesItself({ Status }: Deployment, groups: Deployment["TaskGroups"], { members }: DeploymentView): boolean {
  const open = Object.values(groups).filter(onTrial);
  return (
    Status === "running" &&
    open.length > 0 &&
    open.every((state) => state.AutoPromote && healthyCanaries(state, members).length >= state.DesiredCanaries)
  );
}

/** Ends a deployment that its job has left behind. */
export function cancelDeployment(deployment: Deployment, jobStopped: boolean, now: UnixNano): Deployment {
  return {
    ...deployment,
    Status: "cancelled",
    StatusDescription: jobStopped ? DEPLOYMENT_TEXT.stopped : DEPLOYMENT_TEXT.newer,
    ModifyTime: now,
  };
}

/** When a running deployment fails unless it gets on; null when it may take as long as it likes. */
export function progressDeadline(deployment: Deployment): UnixNano | null {
  if (deployment.Status !== "running") return null;
  const open = Object.values(deployment.TaskGroups).flatMap((s) =>
    hasArrived(s) || s.RequireProgressBy === null ? [] : [s.RequireProgressBy],
  );
  return open.reduce<UnixNano | null>((first, at) => (first === null || at < first ? at : first), null);
}

function advanceGroup(name: string, state: DeploymentState, { members, placed, canaries }: DeploymentView): DeploymentState {
  const mine = members.filter((a) => a.TaskGroup === name);
  const healthy = mine.filter(isHealthyMember);
  const added = canaries?.get(name) ?? [];
  const progressed = healthy.reduce((latest, { DeploymentStatus }) => {
    const at = DeploymentStatus?.Timestamp ?? 0n;
    return at > latest ? at : latest;
  }, 0n);
  const deadline = deadlineAfter(progressed, state.ProgressDeadline);
  const next: DeploymentState = {
    ...state,
    PlacedCanaries: added.length > 0 ? [...(state.PlacedCanaries ?? []), ...added] : state.PlacedCanaries,
    RequireProgressBy:
      deadline !== null && state.RequireProgressBy !== null && deadline > state.RequireProgressBy ? deadline : state.RequireProgressBy,
    PlacedAllocs: Math.max(state.PlacedAllocs, mine.length + (placed.get(name) ?? 0)),
    HealthyAllocs: healthy.length,
    UnhealthyAllocs: mine.filter((a) => a.DeploymentStatus?.Healthy === false).length,
  };
  const same = (["PlacedCanaries", "RequireProgressBy", "PlacedAllocs", "HealthyAllocs", "UnhealthyAllocs"] as const).every(
    (m) => next[m] === state[m],
  );
  return same ? state : next;
}

function statusOf(deployment: Deployment, groups: Deployment["TaskGroups"], view: DeploymentView): [Deployment["Status"], string] {
  if (Object.values(groups).every((state) => isHealthy(state) && !onTrial(state)) && !view.unfinished)
    return ["successful", DEPLOYMENT_TEXT.successful];
  if (view.members.some((a) => isLostCause(a, view.job, groups))) return ["failed", DEPLOYMENT_TEXT.unhealthy];
  const deadline = progressDeadline({ ...deployment, TaskGroups: groups });
  if (deadline !== null && deadline <= view.now) return ["failed", DEPLOYMENT_TEXT.late];
  return ["running", runningText(groups)];
}

const isHealthyMember = (a: Allocation): boolean => a.DeploymentStatus?.Healthy === true && !isDesiredTerminal(a) && !isClientTerminal(a);

/** Nothing of it can be late: all is there, or all that may be until somebody promotes it. */
const hasArrived = (state: DeploymentState): boolean =>
  isHealthy(state) || (onTrial(state) && !state.AutoPromote && state.HealthyAllocs >= state.DesiredCanaries);

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
