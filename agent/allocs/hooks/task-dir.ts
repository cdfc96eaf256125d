import { taskSetup } from "../../model/task-events.js";
import { makeTaskDir } from "../alloc-dir.js";
import { fileOwner } from "../owner.js";
import type { TaskHook } from "./task-hook.js";

/** Source: reference behaviour §5.7. */
const defaultSecretsMB = 1;

/** Makes the task's directories, for its user. Only the first time leaves an event. */
export const taskDirHook: TaskHook = {
  name: "task_dir",
  async prestart({ task, dirs, readyDirs, mounts, driver, isRepeat, emit, log }) {
    if (!isRepeat) emit((at) => taskSetup(at, "Building Task Directory"));
    // The users of an image are not those of the host.
    const owner = driver.isolation === "image" ? "anyone" : await fileOwner(task.User, log);
    makeTaskDir(dirs, task.Name, owner, readyDirs);
    await mounts.keepSecrets(dirs, owner, task.Resources.SecretsMB || defaultSecretsMB);
  },
};
