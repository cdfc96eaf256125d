import { dispatchPayloadHook } from "./dispatch-payload.js";
import { taskDirHook } from "./task-dir.js";
import type { TaskHook } from "./task-hook.js";
import { TemplateHook, type TemplateHookDeps } from "./template.js";
import { validateHook } from "./validate.js";

export interface TaskHookDeps {
  readonly templates: TemplateHookDeps;
}

/** In the order in which they run. Validation is last, as what it looks at may refer to variables of earlier hooks. */
export const taskHooks = ({ templates }: TaskHookDeps): readonly TaskHook[] => [
  taskDirHook,
  dispatchPayloadHook,
  new TemplateHook(templates),
  validateHook,
];

/** Of an agent that fetches and renders nothing. */
export const basicTaskHooks = (): readonly TaskHook[] => [taskDirHook, dispatchPayloadHook, validateHook];
