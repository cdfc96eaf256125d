import type { Deployment } from "./deployment.js";

/** Nomad's texts for a deployment's StatusDescription. */
export const DEPLOYMENT_TEXT = {
  running: "Deployment is running",
  needsPromotion: "Deployment is running but requires manual promotion",
  autoPromotion: "Deployment is running pending automatic promotion",
  paused: "Deployment is paused",
  successful: "Deployment completed successfully",
  unhealthy: "Failed due to unhealthy allocations",
  late: "Failed due to progress deadline",
  failedByUser: "Deployment marked as failed",
  newer: "Cancelled due to newer version of job",
  stopped: "Cancelled because job is stopped",
} as const;

/** What a running deployment waits for. */
export function runningText(groups: Deployment["TaskGroups"]): string {
  const open = Object.values(groups).filter((state) => state.DesiredCanaries > 0 && !state.Promoted);
  if (open.length === 0) return DEPLOYMENT_TEXT.running;
  return open.every((state) => state.AutoPromote) ? DEPLOYMENT_TEXT.autoPromotion : DEPLOYMENT_TEXT.needsPromotion;
}

/** What becomes of a job whose deployment has failed: what happens is told behind the reason. */
export const rollbackText = {
  to: (why: string, version: number): string => `${why} - rolling back to job version ${version}`,
  isSame: (why: string, version: number): string =>
    `${why} - not rolling back to stable job version ${version} as current job has same specification`,
  noTarget: (why: string): string => `${why} - no stable job version to auto revert to`,
} as const;
