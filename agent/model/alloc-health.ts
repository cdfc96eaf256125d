import type { Allocation } from "./allocation.js";
import { formatGoDuration } from "./go-duration.js";
import type { TaskGroup } from "./job.js";
import { isPoststop, type LifecycleTask, type States } from "./lifecycle.js";
import type { TaskState } from "./task-state.js";
import { MINUTE, SECOND, type UnixNano } from "./units.js";

/** What an allocation has to show to be called healthy. Nanoseconds. */
export interface HealthPolicy {
  readonly minHealthyTime: bigint;
  readonly healthyDeadline: bigint;
  readonly usesChecks: boolean;
}

/** How the checks of the allocation's services stand. */
export interface CheckSummary {
  readonly desired: number;
  readonly passing: number;
  /** Since when all of them pass without a break; null when some do not. */
  readonly passingSince: UnixNano | null;
}

export interface Probe {
  readonly status: "starting" | "healthy" | "unhealthy";
  readonly since: UnixNano;
}

export interface HealthSituation {
  readonly policy: HealthPolicy;
  readonly tasks: readonly LifecycleTask[];
  readonly states: States;
  /** Whether the allocation failed as a whole. */
  readonly failed: boolean;
  /** Null when it has none. */
  readonly checks: CheckSummary | null;
  /** What the tasks' own health checks say, by task. */
  readonly probes: ReadonlyMap<string, Probe>;
  /** When watching began. */
  readonly since: UnixNano;
  readonly now: UnixNano;
}

export type HealthVerdict =
  | { readonly verdict: "healthy" }
  /** `messages`: what an Alloc Unhealthy event says, by task. */
  | { readonly verdict: "unhealthy"; readonly messages: ReadonlyMap<string, string> }
  /** `lookAgainAt`: when the verdict can change although nothing happens. */
  | { readonly verdict: "undecided"; readonly lookAgainAt: UnixNano };

/**
 * The policy that an allocation's health is judged by. Source: reference behaviour §4.12.
 *
 * @returns null when nobody asks, or a person decides.
 */
export function healthPolicy(alloc: Pick<Allocation, "Job" | "DeploymentID">, group: TaskGroup): HealthPolicy | null {
  if (alloc.Job.Type !== "service" && alloc.Job.Type !== "system") return null;
  const strategy = (alloc.DeploymentID ? group.Update : group.Migrate) ?? undefined;
  if (strategy?.HealthCheck === "manual") return null;
  return {
    minHealthyTime: BigInt(strategy?.MinHealthyTime ?? 10 * SECOND),
    healthyDeadline: BigInt(strategy?.HealthyDeadline ?? 5 * MINUTE),
    usesChecks: (strategy?.HealthCheck || "checks") === "checks",
  };
}

/** One look at an allocation's health. Source: reference behaviour §4.12. */
export function judgeHealth(situation: HealthSituation): HealthVerdict {
  const { policy, since, now, states } = situation;
  const watched = situation.tasks.filter((task) => !isPoststop(task));
  const deadline = since + policy.healthyDeadline;
  const isBroken = situation.failed || watched.some((task) => hasBroken(task, states.get(task.Name)));
  const wellAt = isBroken ? null : healthyAt(situation, watched);
  if (wellAt !== null && wellAt <= now && wellAt <= deadline) return { verdict: "healthy" };
  if (isBroken || now >= deadline) return { verdict: "unhealthy", messages: complaints(watched, states, policy) };
  return { verdict: "undecided", lookAgainAt: wellAt !== null && wellAt < deadline ? wellAt : deadline };
}

/** Failed, or ended although it should go on. */
function hasBroken(task: LifecycleTask, state: TaskState | undefined): boolean {
  if (!state) return false;
  if (state.Failed) return true;
  return state.FinishedAt !== null && !mayEnd(task);
}

const mayEnd = ({ Lifecycle }: LifecycleTask): boolean =>
  Lifecycle?.Hook === "prestart" || (Lifecycle?.Hook === "poststart" && !Lifecycle.Sidecar);

/** When the allocation will have been well for long enough; null while it is not well. Nothing of it is broken. */
function healthyAt({ states, checks, probes, policy }: HealthSituation, watched: readonly LifecycleTask[]): UnixNano | null {
  let from = 0n;
  for (const task of watched) {
    const state = states.get(task.Name);
    if (!state || state.State === "pending" || state.StartedAt === null) return null;
    if (state.StartedAt > from) from = state.StartedAt;
    const probe = policy.usesChecks ? probes.get(task.Name) : undefined;
    if (!probe) continue;
    if (probe.status !== "healthy") return null;
    if (probe.since > from) from = probe.since;
  }
  if (policy.usesChecks && checks && checks.desired > 0) {
    if (checks.passingSince === null) return null;
    if (checks.passingSince > from) from = checks.passingSince;
  }
  return from + policy.minHealthyTime;
}

function complaints(
  watched: readonly LifecycleTask[],
  states: States,
  { minHealthyTime, healthyDeadline }: HealthPolicy,
): ReadonlyMap<string, string> {
  const deadline = formatGoDuration(healthyDeadline);
  const messages = new Map<string, string>();
  for (const task of watched) {
    const state = states.get(task.Name);
    if (state?.Failed) messages.set(task.Name, "Unhealthy because of failed task");
    else if (!state || state.State === "pending") messages.set(task.Name, `Task not running by healthy_deadline of ${deadline}`);
    else if (state.State === "dead" && !mayEnd(task)) messages.set(task.Name, "Unhealthy because of dead task");
    else if (state.State === "running") {
      const least = formatGoDuration(minHealthyTime);
      messages.set(task.Name, `Task not running for min_healthy_time of ${least} by healthy_deadline of ${deadline}`);
    }
  }
  return messages;
}
