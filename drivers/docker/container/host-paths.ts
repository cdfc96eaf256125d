import { realpathSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { TaskConfigError, type TaskDirs } from "../../driver.js";

/**
 * The host's path that a volume or a bind mount shows. Relative ones start at the task's directory.
 *
 * Outside the allocation only where the operator allows it, and links count as what they lead to: a task may have put one
 * in place of its own directory, and the engine follows it as root. Source of the text: reference behaviour §6.2.
 *
 * @throws TaskConfigError.
 */
export function hostPath(source: string, dirs: TaskDirs, mayLeave: boolean): string {
  const path = resolve(dirs.task, source);
  if (mayLeave) return path;
  const real = realPath(path);
  if (!isWithin(real, realPath(dirs.alloc)))
    throw new TaskConfigError(`volumes are not enabled; cannot mount host path: ${JSON.stringify(source)}`);
  return real;
}

const isWithin = (path: string, dir: string): boolean => path === dir || path.startsWith(`${dir}${sep}`);

/** Of what does not exist yet, with its parents resolved as far as they do. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path) throw error;
    return join(realPath(parent), path.slice(parent === sep ? 1 : parent.length + 1));
  }
}
