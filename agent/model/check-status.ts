import type { CheckSummary } from "./alloc-health.js";
import type { CheckRestart, ServiceCheck } from "./job.js";
import type { Duration, UnixNano } from "./units.js";

/** `pending` until enough is known. A warning is told by script checks only. */
export type CheckStatus = "pending" | "success" | "warning" | "failure";
/** What one probe has found. */
export type CheckOutcome = Exclude<CheckStatus, "pending">;

/** What is known of a check from its results so far. */
export interface CheckTally {
  readonly status: CheckStatus;
  /** Results in a row that were no failures. */
  readonly successes: number;
  readonly failures: number;
}

export const newTally = ({ InitialStatus }: Pick<ServiceCheck, "InitialStatus">): CheckTally => ({
  status: initial[InitialStatus],
  successes: 0,
  failures: 0,
});

const initial = { "": "pending", passing: "success", warning: "warning", critical: "failure" } as const;

/** One more result. The status follows only after as many in a row as the check asks for. */
export function countOutcome(
  check: Pick<ServiceCheck, "SuccessBeforePassing" | "FailuresBeforeCritical" | "FailuresBeforeWarning">,
  before: CheckTally,
  outcome: CheckOutcome,
): CheckTally {
  const { status } = before;
  if (outcome !== "failure") {
    const successes = before.successes + 1;
    return { status: successes >= check.SuccessBeforePassing ? outcome : status, successes, failures: 0 };
  }
  const failures = before.failures + 1;
  const isWarning = check.FailuresBeforeWarning > 0 && failures >= check.FailuresBeforeWarning;
  const next = failures >= check.FailuresBeforeCritical ? "failure" : isWarning ? "warning" : status;
  return { status: next, successes: 0, failures };
}

/** Whether a deployment may count on the check. Source: reference behaviour §4.12. */
export function isAcceptable({ OnUpdate }: Pick<ServiceCheck, "OnUpdate">, status: CheckStatus): boolean {
  switch (OnUpdate) {
    case "ignore":
      return status !== "pending";
    case "ignore_warnings":
      return status === "success" || status === "warning";
    case "require_healthy":
      return status === "success";
  }
}

/**
 * How the checks of an allocation stand together.
 *
 * @param since the earlier summary's `passingSince`.
 * @returns null when there are none.
 */
export function summariseChecks(
  checks: readonly { readonly check: Pick<ServiceCheck, "OnUpdate">; readonly status: CheckStatus }[],
  since: UnixNano | null,
  now: UnixNano,
): CheckSummary | null {
  if (checks.length === 0) return null;
  const passing = checks.filter(({ check, status }) => isAcceptable(check, status)).length;
  return { desired: checks.length, passing, passingSince: passing === checks.length ? (since ?? now) : null };
}

/**
 * How many results in a row, this one included, ask for a restart: a check that is pending asks as one that fails.
 * Source: reference behaviour §10.
 *
 * @param before the number after the result before.
 * @param age nanoseconds since the task was started.
 */
export function countForRestart(policy: CheckRestart, before: number, status: CheckStatus, age: Duration): number {
  const isWell = status === "success" || (status === "warning" && policy.IgnoreWarnings);
  return isWell || age < policy.Grace ? 0 : before + 1;
}

export const asksForRestart = (policy: CheckRestart, count: number): boolean => policy.Limit > 0 && count >= policy.Limit;
