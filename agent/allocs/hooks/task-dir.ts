import { taskSetup } from "../../model/task-events.js";
import { makeTaskDir } from "../alloc-dir.js";
import { fileOwner } from "../file-owner.js";
import type { TaskHook } from "./task-hook.js";

/** Makes the task's directories, for its user. Only the first time leaves an event. */
export const taskDirHook: TaskHook = {
  name: "task_dir",
  async prestart({ task, dirs, readyDirs, isRepeat, emit, log }) {
    if (!isRepeat) emit((at) => taskSetup(at, "Building Task Directory"));
    makeTaskDir(dirs, task.Name, await fileOwner(task.User, log), readyDirs);
  },
};
