import type { Deployment } from "./deployment.js";
import { encodeDeployment } from "./encode-deployment.js";
import { encodeEvaluation } from "./encode-evaluation.js";
import type { Evaluation } from "./evaluation.js";
import { parseJson } from "./json.js";

const TIME = 1795447331447405961n;

const evaluation: Evaluation = {
  ID: "5d61b586-2858-7846-d620-c338c16179cc",
  Namespace: "default",
  Priority: 50,
  Type: "service",
  TriggeredBy: "job-register",
  JobID: "example",
  JobModifyIndex: 21,
  NodeID: "",
  DeploymentID: "",
  Status: "complete",
  StatusDescription: "",
  WaitUntil: null,
  NextEval: "",
  PreviousEval: "",
  BlockedEval: "",
  FailedTGAllocs: null,
  QueuedAllocations: { cache: 0 },
  PlanAnnotations: null,
  SnapshotIndex: 21,
  CreateIndex: 21,
  ModifyIndex: 23,
  CreateTime: TIME,
  ModifyTime: TIME,
};

describe("an evaluation", () => {
  test("has its times digit for digit and leaves out what is empty", () => {
    const { NodeID, DeploymentID, StatusDescription, WaitUntil, NextEval, PreviousEval, BlockedEval, FailedTGAllocs, ...shown } =
      evaluation;
    expect(parseJson(encodeEvaluation(evaluation))).toEqual(shown);
  });

  test("says what it waits for and what blocks it", () => {
    const waiting = { ...evaluation, WaitUntil: TIME, BlockedEval: "b", StatusDescription: "waits" };
    expect(parseJson(encodeEvaluation(waiting))).toMatchObject({
      WaitUntil: "2026-11-23T15:22:11.447405961Z",
      BlockedEval: "b",
      StatusDescription: "waits",
    });
  });
});

test("a deployment has the state of each group", () => {
  const state = {
    AutoRevert: false,
    AutoPromote: false,
    ProgressDeadline: 600_000_000_000,
    Promoted: false,
    PlacedCanaries: null,
    DesiredCanaries: 0,
    DesiredTotal: 1,
    PlacedAllocs: 1,
    HealthyAllocs: 1,
    UnhealthyAllocs: 0,
  };
  const deployment: Deployment = {
    ID: "a2eee417-fbc6-aa21-daf5-d5bf8ffeea39",
    Namespace: "default",
    JobID: "raw1",
    JobVersion: 0,
    JobModifyIndex: 13,
    JobSpecModifyIndex: 13,
    JobCreateIndex: 13,
    IsMultiregion: false,
    TaskGroups: { g: { ...state, RequireProgressBy: TIME }, '"': { ...state, RequireProgressBy: null } },
    Status: "successful",
    StatusDescription: "Deployment completed successfully",
    EvalPriority: 50,
    CreateIndex: 14,
    ModifyIndex: 19,
    CreateTime: TIME,
    ModifyTime: TIME,
  };
  expect(parseJson(encodeDeployment(deployment))).toEqual({
    ...deployment,
    TaskGroups: { g: { ...state, RequireProgressBy: "2026-11-23T15:22:11.447405961Z" }, '"': { ...state, RequireProgressBy: null } },
  });
});
