import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { DriverError, type TaskDirs } from "../driver.js";

/**
 * Finds a task's command: `local/<command>`, `<task dir>/<command>`, the path itself, then the search path.
 * Source: reference behaviour §5.2.
 *
 * @param searchPath directories joined by ':'.
 * @throws DriverError that names the command.
 */
export function findCommand(command: string, dirs: TaskDirs, searchPath: string): string {
  const inTask = [join(dirs.local, command), join(dirs.task, command)];
  const onHost = isAbsolute(command)
    ? [command]
    : command.includes("/")
      ? []
      : searchPath
          .split(":")
          .filter(Boolean)
          .map((dir) => join(dir, command));
  const found = [...inTask, ...onHost].find(isFile);
  if (found === undefined) throw new DriverError(`failed to launch command with executor: binary "${command}" could not be found`, false);
  if (!isExecutable(found))
    throw new DriverError(`failed to launch command with executor: binary "${command}" is found at ${found}, but is not executable`, false);
  return found;
}

/** Finds a command of an exec session: relative names with a slash are relative to the working directory. Source: §2.4. */
export function findSessionCommand(command: string, cwd: string, searchPath: string): string | undefined {
  const places = command.includes("/")
    ? [isAbsolute(command) ? command : join(cwd, command)]
    : searchPath
        .split(":")
        .filter(Boolean)
        .map((dir) => join(dir, command));
  return places.find((path) => isFile(path) && isExecutable(path));
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
