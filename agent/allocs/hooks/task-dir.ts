import { findUser } from "../../../drivers/raw_exec/users.js";
import { taskSetup } from "../../model/task-events.js";
import { makeTaskDir, type Owner } from "../alloc-dir.js";
import type { TaskHook } from "./task-hook.js";

/** Makes the task's directories, for its user. Only the first time leaves an event. */
export const taskDirHook: TaskHook = {
  name: "task_dir",
  async prestart({ task, dirs, readyDirs, driver, isRepeat, emit, log }) {
    if (!isRepeat) emit((at) => taskSetup(at, "Building Task Directory"));
    // The users of an image are not those of the host.
    if (driver.isolation === "image") return makeTaskDir(dirs, task.Name, "anyone", readyDirs);
    const isRoot = process.getuid?.() === 0;
    let owner: Owner | null = null;
    if (isRoot && task.User !== "") {
      // An unknown user is the driver's to refuse, with its own event.
      owner = await findUser(task.User).catch((error: Error) => {
        log.debug({ user: task.User, reason: error.message }, "the task's directories stay the agent's");
        return null;
      });
    }
    makeTaskDir(dirs, task.Name, owner, readyDirs);
  },
};
