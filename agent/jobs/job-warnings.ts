import type { Job } from "../model/job.js";

/**
 * What is worth saying about a job that is taken all the same. Source of the form: the reference's sample of a validation.
 *
 * @returns the empty text when there is nothing.
 */
export function jobWarnings(job: Job): string {
  const warnings = job.TaskGroups.flatMap(({ Name: group, Tasks }) =>
    Tasks.flatMap(({ Name: task, Resources, Services, ShutdownDelay }) => [
      ...(Resources.Networks?.length
        ? [`task "${task}" in group "${group}" has networks of its own, which is deprecated: configure them in the group's network block`]
        : []),
      ...(Services?.length && ShutdownDelay === 0
        ? [`task "${task}" in group "${group}" defines services, but has no shutdown_delay set`]
        : []),
    ]),
  );
  if (warnings.length === 0) return "";
  return `${warnings.length} warning${warnings.length === 1 ? "" : "s"}:\n\n${warnings.map((text) => `* ${text}`).join("\n")}`;
}
