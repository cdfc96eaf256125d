import type { Deployment } from "./deployment.js";
import { rollbackText } from "./deployment-text.js";
import type { Job } from "./job.js";
import { sameSpec } from "./job-diff.js";

/**
 * What becomes of the job of a deployment that has just failed: when its update says so, the latest stable version.
 * Source: Nomad's deployment watcher, latestStableJob.
 *
 * @param versions of the job, newest first.
 * @returns the deployment with what happens told, and the version to go back to, if there is one.
 */
export function rollBack(
  failed: Deployment,
  job: Job,
  versions: readonly Job[],
): { readonly deployment: Deployment; readonly target: Job | null } {
  if (!Object.values(failed.TaskGroups).some((state) => state.AutoRevert)) return { deployment: failed, target: null };
  const target =
    versions.find((version) => version.Stable && version.Version < job.Version && version.CreateIndex === job.CreateIndex) ?? null;
  const why = failed.StatusDescription;
  if (!target) return { deployment: { ...failed, StatusDescription: rollbackText.noTarget(why) }, target: null };
  if (sameSpec(target, job))
    return { deployment: { ...failed, StatusDescription: rollbackText.isSame(why, target.Version) }, target: null };
  return { deployment: { ...failed, StatusDescription: rollbackText.to(why, target.Version) }, target };
}
