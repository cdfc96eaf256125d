import { AllocdError } from "../errors.js";

export const unknownTask = (name: string): AllocdError => new AllocdError("not-found", `Task not found: "${name}"`);

export const taskNotRunning = (name: string): AllocdError => new AllocdError("task-not-running", `Task not running: "${name}"`);

/** None of the tasks that a signal was meant for runs. Source of the form: reference behaviour §4.9. */
export function noneRunning(tasks: readonly string[]): AllocdError {
  const lines = tasks.map((task) => `\t* Failed to signal task: ${task}, err: Task not running\n`);
  const head = lines.length === 1 ? "1 error occurred" : `${lines.length} errors occurred`;
  return new AllocdError("task-not-running", `${head}:\n${lines.join("")}\n`);
}

/** There is nothing that a command could be started beside. */
export const noRun = (task: string, hasStarted: boolean): AllocdError =>
  new AllocdError("task-not-running", `task "${task}" ${hasStarted ? "is not running" : "not started yet"}.`);

export const notToRun = (): AllocdError => new AllocdError("conflict", "restart of an alloc that should not run");
