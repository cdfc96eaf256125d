import type { ArtifactFetcher } from "../../artifacts/fetcher.js";
import { ArtifactsHook } from "./artifacts.js";
import { dispatchPayloadHook } from "./dispatch-payload.js";
import { taskDirHook } from "./task-dir.js";
import type { TaskHook } from "./task-hook.js";
import { TemplateHook, type TemplateHookDeps } from "./template.js";
import { validateHook } from "./validate.js";
import { volumesHook } from "./volumes.js";

export interface TaskHookDeps {
  /** Loads what fetching needs, when the first task wants it. */
  readonly artifacts: () => Promise<ArtifactFetcher>;
  readonly templates: TemplateHookDeps;
}

/** In the order in which they run. Validation is last, as what it looks at may refer to variables of earlier hooks. */
export const taskHooks = ({ artifacts, templates }: TaskHookDeps): readonly TaskHook[] => [
  taskDirHook,
  dispatchPayloadHook,
  volumesHook,
  new ArtifactsHook(artifacts),
  new TemplateHook(templates),
  validateHook,
];

/** Of an agent that fetches and renders nothing. */
export const basicTaskHooks = (): readonly TaskHook[] => [taskDirHook, dispatchPayloadHook, volumesHook, validateHook];
