import { encodeTime } from "./encode-task-state.js";
import type { Evaluation } from "./evaluation.js";
import { encodeJson } from "./json.js";

/** Members that the reference leaves out when they are empty, beside those that are always there. */
const optional = ["NodeID", "DeploymentID", "StatusDescription", "NextEval", "PreviousEval", "BlockedEval", "FailedTGAllocs"] as const;

/** GET /v1/evaluation/:id. Source: reference behaviour §1.9. */
export function encodeEvaluation(evaluation: Evaluation): string {
  const { WaitUntil, ...members } = evaluation;
  const shown: Partial<typeof members> = { ...members };
  for (const name of optional) if (!members[name]) delete shown[name];
  const text = encodeJson(shown);
  return WaitUntil === null ? text : `${text.slice(0, -1)},"WaitUntil":${encodeTime(WaitUntil)}}`;
}
