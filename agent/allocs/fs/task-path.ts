import { relative } from "node:path";
import type { TaskDirs } from "../../../drivers/driver.js";
import { EscapeError, namesOf } from "./write-inside.js";

/** Directories below which nobody but the agent writes. */
const agentsOwn: readonly (readonly string[])[] = [["alloc", "logs"]];

/**
 * Where a path of a job's leads within the allocation's directory.
 *
 * @param path with its references replaced: from the task's directory, or absolute as the task sees its own directories.
 * @param env the task's variables, of which the names of its directories are taken.
 * @param joins whether another absolute path is one below the task's directory, as it is for destinations.
 * @returns names from the allocation's directory.
 * @throws EscapeError when it is neither in the task's directory nor in the one that the group shares.
 */
export function taskPath(path: string, dirs: TaskDirs, env: Readonly<Record<string, string>>, joins = false): readonly string[] {
  const task = relative(dirs.alloc, dirs.task);
  const seen: readonly (readonly [string | undefined, string])[] = [
    [env.NOMAD_SECRETS_DIR, `${task}/secrets`],
    [env.NOMAD_TASK_DIR, `${task}/local`],
    [env.NOMAD_ALLOC_DIR, "alloc"],
    [dirs.alloc, ""],
  ];
  const [prefix, place] = seen.find(([dir]) => dir !== undefined && (path === dir || path.startsWith(`${dir}/`))) ?? ["", task];
  if (prefix === "" && path.startsWith("/") && !joins) throw new EscapeError(`${path} is not in a directory of the task's`);
  const names = namesOf(`${place}/${path.slice(prefix?.length ?? 0)}`);
  const isOwn = names[0] === task || names[0] === "alloc";
  const isAgents = agentsOwn.some((own) => own.every((name, i) => names[i] === name)) || (names[0] === task && names[1] === "private");
  if (!isOwn || isAgents) throw new EscapeError(`${path} is not in a directory of the task's`);
  return names;
}
