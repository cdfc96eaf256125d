import type { Job, TaskGroup } from "./job.js";
import { sameJson } from "./same-json.js";

/** What the host writes into a job: no part of what was asked for. */
export const WRITTEN_BY_HOST = [
  "CreateIndex",
  "ModifyIndex",
  "JobModifyIndex",
  "Version",
  "SubmitTime",
  "Status",
  "StatusDescription",
  "Stable",
  "NomadTokenID",
  "VersionTag",
] as const;

/** What decides where, when or how many, but is never seen by a running task. All else restarts it. */
const UNSEEN_OF_JOB = [
  ...WRITTEN_BY_HOST,
  "Stop",
  "TaskGroups",
  "Priority",
  "Datacenters",
  "NodePool",
  "Constraints",
  "Affinities",
  "Spreads",
  "Update",
  "AllAtOnce",
  "UI",
] as const;
const UNSEEN_OF_GROUP = [
  "Count",
  "Update",
  "Migrate",
  "ReschedulePolicy",
  "Scaling",
  "Services",
  "Constraints",
  "Affinities",
  "Spreads",
  "Disconnect",
  "StopAfterClientDisconnect",
  "MaxClientDisconnect",
  "PreventRescheduleOnLost",
  "RestartPolicy",
  "ShutdownDelay",
  "Tasks",
] as const;
/** What a runner reads anew each time. */
export const UNSEEN_OF_TASK = [
  "Constraints",
  "Affinities",
  "ScalingPolicies",
  "Services",
  "RestartPolicy",
  "KillTimeout",
  "KillSignal",
  "ShutdownDelay",
] as const;

/** Whether both ask for the same, so that registering the second makes no new version. */
export const sameSpec = (a: Job, b: Job): boolean => sameJson(without(a, WRITTEN_BY_HOST), without(b, WRITTEN_BY_HOST));

/** Whether a running allocation of `group` may go over from one version to the other without a restart. */
export function updatesInPlace(from: Job, to: Job, group: string): boolean {
  const [a, b] = [from, to].map((job) => job.TaskGroups.find((g) => g.Name === group));
  return (
    a !== undefined &&
    b !== undefined &&
    sameJson(without(from, UNSEEN_OF_JOB), without(to, UNSEEN_OF_JOB)) &&
    sameJson(without(a, UNSEEN_OF_GROUP), without(b, UNSEEN_OF_GROUP)) &&
    sameJson(seenOfTasks(a), seenOfTasks(b))
  );
}

const seenOfTasks = ({ Tasks }: TaskGroup): readonly object[] => Tasks.map((task) => without(task, UNSEEN_OF_TASK));

const without = (value: object, members: readonly string[]): object =>
  Object.fromEntries(Object.entries(value).filter(([member]) => !members.includes(member)));
