import type { DeploymentCommands, NodeCommands, SchedulingCommands } from "../commands.js";

const EVAL = { EvalID: "5d61b586-2858-7846-d620-c338c16179cc", EvalCreateIndex: 7, JobModifyIndex: 6, Index: 7 };
const DEPLOYMENT = { EvalID: EVAL.EvalID, EvalCreateIndex: 7, DeploymentModifyIndex: 7, RevertedJobVersion: null, Index: 7 };
const NODE = { EvalIDs: [], EvalCreateIndex: 0, NodeModifyIndex: 8, Index: 8 };

/** Commands that only note their calls. */
export function notedScheduling(calls: unknown[][]): SchedulingCommands {
  return {
    plan: (...args) => {
      calls.push(["plan", ...args]);
      return {
        Annotations: null,
        CreatedEvals: null,
        Diff: null,
        FailedTGAllocs: null,
        Index: 3,
        JobModifyIndex: 3,
        NextPeriodicLaunch: null,
        Warnings: "",
      };
    },
    scale: async (...args) => {
      calls.push(["scale", ...args]);
      return EVAL;
    },
    evaluate: async (...args) => {
      calls.push(["evaluate", ...args]);
      return EVAL;
    },
    configure: async (...args) => {
      calls.push(["configure", ...args]);
      return { updated: true, index: 9 };
    },
  };
}

export function notedDeployments(calls: unknown[][]): DeploymentCommands {
  const noted =
    (name: string) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args]);
      return DEPLOYMENT;
    };
  return { promote: noted("promote"), fail: noted("fail"), pause: noted("pause"), setHealth: noted("setHealth") };
}

export function notedNodes(calls: unknown[][]): NodeCommands {
  const noted =
    (name: string) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args]);
      return NODE;
    };
  return { setEligibility: noted("setEligibility"), drain: noted("drain"), evaluate: noted("evaluateNode") };
}
