import { mkdir, readlink, symlink } from "node:fs/promises";
import { missingVolume, type VolumeTarget, volumeTargets } from "../../model/volumes.js";
import { subdirectory } from "../fs/find.js";
import { unlessMissing } from "../fs/fs-error.js";
import { fdPath, hold, holdDirectory } from "../fs/held.js";
import type { TaskHook } from "./task-hook.js";

/**
 * Sees to it that the task's volumes are where it looks for them. A driver with file systems of its own mounts them. A
 * task that shares the host's gets links in its own directory: a mount would change the host for everybody, and whoever
 * removed the allocation's directory would remove what is in the volume. A link can not be read-only, so that is refused.
 */
export const volumesHook: TaskHook = {
  name: "volumes",
  async prestart({ task, group, node, driver, dirs }) {
    if (!task.VolumeMounts?.length) return;
    const missing = missingVolume(group, node);
    if (missing !== undefined) throw new Error(missing);
    if (driver.isolation === "image") return;
    for (const target of volumeTargets(task, group, node)) await link(target, dirs.task, driver.name);
  },
};

async function link({ mount, name, source, readOnly }: VolumeTarget, taskDir: string, driver: string): Promise<void> {
  const refuse = (why: string): never => {
    throw new Error(`volume "${name}" at "${mount.Destination}": ${why}`);
  };
  if (mount.Destination.startsWith("/"))
    refuse(`a ${driver} task has the host's own file system, so it takes a path inside the task's directory`);
  if (readOnly) refuse(`a ${driver} task has the host's own file system, where nothing can be kept from being written`);
  const names = mount.Destination.split("/").filter((part) => part !== "" && part !== ".");
  const last = names.pop() ?? refuse("want a name inside the task's directory");
  const parent = await directory(taskDir, names);
  try {
    const place = `${fdPath(parent)}/${last}`;
    const there = await hold(parent, last).catch(unlessMissing);
    await there?.handle.close();
    if (!there) await symlink(source, place);
    else if (!there.stat.isSymbolicLink() || (await readlink(place)) !== source) refuse("something else is there already");
  } finally {
    await parent.close();
  }
}

/** A directory below the task's, made where it is missing. The task may have put links there, which are not followed. */
async function directory(taskDir: string, names: readonly string[]) {
  let here = await holdDirectory(taskDir);
  for (const name of names) {
    try {
      await mkdir(`${fdPath(here)}/${name}`, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
      const next = await subdirectory(here, name);
      await here.close();
      here = next;
    } catch (error) {
      await here.close();
      throw error;
    }
  }
  return here;
}
