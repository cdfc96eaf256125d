import type { Deployment } from "./deployment.js";
import { encodeTime } from "./encode-task-state.js";
import { encodeJson } from "./json.js";

/** GET /v1/deployment/:id */
export function encodeDeployment(deployment: Deployment): string {
  const { TaskGroups, ...members } = deployment;
  const groups = Object.entries(TaskGroups).map(([name, { RequireProgressBy, ...state }]) => {
    const text = encodeJson(state);
    return `${JSON.stringify(name)}:${text.slice(0, -1)},"RequireProgressBy":${encodeTime(RequireProgressBy)}}`;
  });
  return `${encodeJson(members).slice(0, -1)},"TaskGroups":{${groups.join(",")}}}`;
}
