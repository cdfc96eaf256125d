import { formatGoDuration } from "./go-duration.js";
import type { JobType, RestartPolicy, TaskLifecycle } from "./job.js";

/** How often a task was restarted in the current interval. Starts anew with the task's runner. */
export interface RestartTracker {
  readonly count: number;
  /** When the current interval began, in nanoseconds of a monotonic clock. */
  readonly intervalStart: number;
}

/** What ended a run, or kept it from starting. */
export type RunEnd =
  /** It was killed: it shall not run again. */
  | { readonly kind: "killed" }
  /** Somebody asked for the restart; that is never counted. */
  | { readonly kind: "restart-requested" }
  | { readonly kind: "start-failed"; readonly recoverable: boolean }
  /** `successful` is exit code 0, no signal and no error. */
  | { readonly kind: "exited"; readonly successful: boolean };

export interface RestartDecision {
  readonly decision: "killed" | "completed" | "failed" | "restart";
  readonly reason: string;
  /** Nanoseconds until the restart; 0 when there is none. */
  readonly delay: number;
  readonly tracker: RestartTracker;
}

export interface RestartSituation {
  readonly policy: RestartPolicy;
  readonly restartsOnSuccess: boolean;
  readonly tracker: RestartTracker;
  readonly end: RunEnd;
  /** Nanoseconds of the same monotonic clock as the tracker's. */
  readonly now: number;
  /** 0 up to, not including, 1. */
  readonly random: number;
}

export const restartReason = {
  withinPolicy: "Restart within policy",
  noneAllowed: "Policy allows no restarts",
  unrecoverable: "Error was unrecoverable",
  success: "Restart unnecessary as task terminated successfully",
  delayed: "Exceeded allowed attempts, applying a delay",
} as const;

/** A restart is spread over this part of its delay, so that tasks that failed together do not come back together. */
const jitter = 0.25;

/** Decides what comes after a run. Source: reference behaviour §4.4. */
export function decideRestart(situation: RestartSituation): RestartDecision {
  const { policy, restartsOnSuccess, end, now } = situation;
  const untouched = situation.tracker;
  if (end.kind === "killed") return { decision: "killed", reason: "", delay: 0, tracker: untouched };
  if (end.kind === "restart-requested") return { decision: "restart", reason: "", delay: 0, tracker: untouched };
  const completed = end.kind === "exited" && end.successful && !restartsOnSuccess;
  if (policy.Attempts === 0) {
    return { decision: completed ? "completed" : "failed", reason: restartReason.noneAllowed, delay: 0, tracker: untouched };
  }

  const tracker = countRun(untouched, Number(policy.Interval), now);
  if (end.kind === "start-failed" && !end.recoverable) {
    return { decision: "failed", reason: restartReason.unrecoverable, delay: 0, tracker };
  }
  if (completed) return { decision: "completed", reason: restartReason.success, delay: 0, tracker };
  if (tracker.count <= policy.Attempts) {
    return { decision: "restart", reason: restartReason.withinPolicy, delay: spread(Number(policy.Delay), situation.random), tracker };
  }
  if (policy.Mode === "fail") {
    const reason = `Exceeded allowed attempts ${policy.Attempts} in interval ${formatGoDuration(policy.Interval)} and mode is "fail"`;
    return { decision: "failed", reason, delay: 0, tracker };
  }
  const remaining = tracker.intervalStart + Number(policy.Interval) - now;
  return { decision: "restart", reason: restartReason.delayed, delay: Math.max(0, Math.round(remaining)), tracker };
}

/** Whether a task runs again after it has ended well. Source: reference behaviour §4.4. */
export function restartsOnSuccess(type: JobType, lifecycle: TaskLifecycle | null): boolean {
  switch (lifecycle?.Hook) {
    case "prestart":
    case "poststart":
      return lifecycle.Sidecar;
    case "poststop":
      return false;
    default:
      return type === "service" || type === "system";
  }
}

function countRun(tracker: RestartTracker, interval: number, now: number): RestartTracker {
  const isOver = now > tracker.intervalStart + interval;
  return isOver ? { count: 1, intervalStart: now } : { count: tracker.count + 1, intervalStart: tracker.intervalStart };
}

const spread = (delay: number, random: number): number => delay + Math.floor(random * delay * jitter);
