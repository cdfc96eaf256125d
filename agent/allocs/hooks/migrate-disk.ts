import { lstat, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../../log.js";
import { allocPath, makeTaskDir, taskDirs } from "../alloc-dir.js";
import { unlessMissing } from "../fs/fs-error.js";
import { fileOwner } from "../owner.js";
import type { AllocHook } from "./alloc-hook.js";

/**
 * Gives a replacement the data that the allocation before it has left: the group's `alloc/data` and the tasks' `local`.
 * What can not be moved is a loss that the log tells of, and no reason not to run. Source: reference behaviour §5.7.
 */
export const migrateDiskHook: AllocHook = {
  name: "migrate_disk",
  async prerun({ alloc, group, dataDir, readyDirs, isUnderWay, log }) {
    const { PreviousAllocation: previous, ID } = alloc;
    const { Sticky, Migrate } = group.EphemeralDisk;
    if (isUnderWay || previous === "" || previous === ID || !(Sticky || Migrate)) return;
    const own = allocPath(dataDir, ID);
    const before = allocPath(dataDir, previous);
    await move(join(before, "alloc/data"), join(own, "alloc/data"), log);
    for (const task of group.Tasks) {
      const from = taskDirs(dataDir, previous, task.Name).local;
      if (!(await isDirectory(from))) continue;
      const dirs = taskDirs(dataDir, ID, task.Name);
      makeTaskDir(dirs, task.Name, await fileOwner(task.User, log), readyDirs);
      await move(from, dirs.local, log);
    }
  },
};

/** Puts a directory in the place of an empty one. */
async function move(from: string, to: string, log: Logger): Promise<void> {
  try {
    if (await isDirectory(from)) await rename(from, to);
  } catch (error) {
    log.warn({ err: error }, "data of the allocation before could not be moved");
  }
}

/** A task may have put a link there, which would lead whoever comes next to what it names. */
const isDirectory = async (path: string): Promise<boolean> => (await lstat(path).catch(unlessMissing))?.isDirectory() ?? false;
