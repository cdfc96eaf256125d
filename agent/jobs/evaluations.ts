import type { Evaluation, EvaluationTrigger } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import type { UnixNano } from "../model/units.js";

/** A new evaluation of a job: pending, with nothing found out yet. Its indexes are the store's to stamp. */
export const newEvaluation = (
  id: string,
  job: Pick<Job, "Namespace" | "ID" | "Priority" | "Type" | "JobModifyIndex">,
  trigger: EvaluationTrigger,
  now: UnixNano,
): Evaluation => ({
  ID: id,
  Namespace: job.Namespace,
  Priority: job.Priority,
  Type: job.Type,
  TriggeredBy: trigger,
  JobID: job.ID,
  JobModifyIndex: job.JobModifyIndex,
  NodeID: "",
  DeploymentID: "",
  Status: "pending",
  StatusDescription: "",
  WaitUntil: null,
  NextEval: "",
  PreviousEval: "",
  BlockedEval: "",
  FailedTGAllocs: null,
  QueuedAllocations: null,
  PlanAnnotations: null,
  SnapshotIndex: 0,
  CreateIndex: 0,
  ModifyIndex: 0,
  CreateTime: now,
  ModifyTime: now,
});
