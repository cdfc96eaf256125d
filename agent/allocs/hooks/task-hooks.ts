import { dispatchPayloadHook } from "./dispatch-payload.js";
import { taskDirHook } from "./task-dir.js";
import type { TaskHook } from "./task-hook.js";
import { validateHook } from "./validate.js";
import { volumesHook } from "./volumes.js";

/** In the order in which they run. Validation is last, as what it looks at may refer to variables of earlier hooks. */
export const taskHooks: readonly TaskHook[] = [taskDirHook, dispatchPayloadHook, volumesHook, validateHook];
