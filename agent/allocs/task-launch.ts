import { type Driver, DriverError, TaskConfigError, type TaskSpec } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Allocation } from "../model/allocation.js";
import { InterpolationError } from "../model/interpolate.js";
import type { Task, TaskGroup } from "../model/job.js";
import type { Node } from "../model/node.js";
import { allocEnv, type Env, taskEnv } from "../model/task-env.js";
import { driverFailure, hookFailed } from "../model/task-events.js";
import type { AllocServicesDeps } from "../services/alloc-services.js";
import { taskDirs } from "./alloc-dir.js";
import type { AllocMounts } from "./alloc-mounts.js";
import type { AllocRunnerDeps } from "./alloc-runner-deps.js";
import type { TaskHook, TaskHookContext } from "./hooks/task-hook.js";
import { invalidConfig } from "./hooks/validate.js";
import type { ReadyDirs } from "./ready-dirs.js";
import type { TaskControl } from "./task-control.js";
import { messageOf, TaskFailure } from "./task-failure.js";
import type { TaskRecord } from "./task-record.js";
import { driverConfig, taskMounts, taskSpec } from "./task-spec.js";

export interface LaunchDeps {
  readonly alloc: Allocation;
  readonly group: TaskGroup;
  readonly task: Task;
  readonly driver: Driver | undefined;
  readonly node: Node;
  readonly dataDir: string;
  readonly readyDirs: ReadyDirs;
  readonly mounts: AllocMounts;
  readonly options: { readonly hostEnv: Readonly<Record<string, string | undefined>>; readonly envDenylist: readonly string[] };
  readonly log: Logger;
  /** Aborted when the start is not wanted any more. */
  readonly signal: AbortSignal;
  readonly hooks: readonly TaskHook[];
  readonly lifetime: AbortSignal;
  readonly control: TaskControl;
  readonly clock: Clock;
}

/**
 * Does what has to be done before the record's current run can start.
 *
 * @returns null when the start is not wanted any more.
 * @throws TaskFailure with the event that it leaves.
 */
export async function prepareTask(
  deps: LaunchDeps,
  record: TaskRecord,
): Promise<{ readonly spec: TaskSpec; readonly driver: Driver } | null> {
  const { alloc, group, task, node, driver, dataDir } = deps;
  if (!driver) throw missingDriver(task.Driver);
  const dirs = taskDirs(dataDir, alloc.ID, task.Name);
  const env = envOf(deps);
  for (const hook of deps.hooks) {
    const isRepeat = record.handle.hooksDone.includes(hook.name);
    try {
      await hook.prestart(hookContext(deps, driver, env, record, isRepeat));
    } catch (error) {
      if (deps.signal.aborted) return null;
      throw hookFailure(hook.name, error);
    }
    // A hook that was interrupted has not done its work.
    if (deps.signal.aborted) return null;
    if (!isRepeat) record.apply({ handle: { ...record.handle, hooksDone: [...record.handle.hooksDone, hook.name] } });
  }
  const config = driverConfig(alloc, task, node, env);
  return { driver, spec: taskSpec({ alloc, task, run: record.handle.run, config, env, dirs, mounts: taskMounts(task, group, node) }) };
}

/** Tells the hooks of a run that an earlier agent has started. It waits for nothing of theirs. */
export function resumeTask(deps: LaunchDeps, record: TaskRecord): void {
  const { driver, log } = deps;
  if (!driver) return;
  for (const hook of deps.hooks) {
    if (!hook.resume) continue;
    Promise.resolve(hook.resume(hookContext(deps, driver, envOf(deps), record, true))).catch((error: unknown) =>
      log.warn({ err: error, hook: hook.name }, "a hook could not be taken up again"),
    );
  }
}

function hookContext(deps: LaunchDeps, driver: Driver, env: Env, record: TaskRecord, isRepeat: boolean): TaskHookContext {
  const { alloc, group, task, node, dataDir, readyDirs, mounts, log, signal, lifetime, control, clock } = deps;
  const dirs = taskDirs(dataDir, alloc.ID, task.Name);
  return {
    alloc,
    group,
    task,
    node,
    driver,
    dirs,
    readyDirs,
    mounts,
    env,
    isRepeat,
    signal,
    lifetime,
    control,
    clock,
    log,
    emit: (event) => record.apply({ events: [event] }),
  };
}

/** What a run was started with, as well as it can be told without doing anything. */
export function specForRecovery(deps: LaunchDeps, run: number): TaskSpec {
  const { alloc, group, task, node, dataDir } = deps;
  const env = envOf(deps);
  let config = task.Config ?? {};
  try {
    config = driverConfig(alloc, task, node, env);
  } catch (error) {
    // A reference that held at the start may be gone: no reason to lose the task.
    deps.log.warn({ err: error }, "the config of a running task can not be worked out any more");
  }
  const dirs = taskDirs(dataDir, alloc.ID, task.Name);
  return taskSpec({ alloc, task, run, config, env, dirs, mounts: taskMounts(task, group, node) });
}

/** What a start that failed leaves in the task's history. */
export function launchFailure(error: unknown): TaskFailure {
  if (error instanceof TaskFailure) return error;
  if (error instanceof TaskConfigError || error instanceof InterpolationError) return invalidConfig(error);
  const message = messageOf(error);
  return new TaskFailure(message, (at) => driverFailure(at, message), error instanceof DriverError && error.recoverable, { cause: error });
}

type EnvDeps = Pick<LaunchDeps, "alloc" | "group" | "task" | "node" | "dataDir" | "options" | "driver">;

/** What services may refer to: the variables of their task, or those that all tasks of the group have. */
export const servicesEnv =
  ({ node, dataDir, options, drivers }: Pick<AllocRunnerDeps, "node" | "dataDir" | "options" | "drivers">): AllocServicesDeps["env"] =>
  (alloc, group, name) => {
    const task = group.Tasks.find(({ Name }) => Name === name);
    const of = { alloc, group, node: node(), dataDir, options, driver: task && drivers.get(task.Driver) };
    return task ? envOf({ ...of, task }) : allocEnv({ ...of, denied: options.envDenylist, hostEnv: options.hostEnv });
  };

function envOf({ alloc, group, task, node, dataDir, options, driver }: EnvDeps): Env {
  const { shared, local, secrets } = taskDirs(dataDir, alloc.ID, task.Name);
  const isApart = driver?.isolation === "image";
  const paths = isApart ? pathsInImage : { alloc: shared, local, secrets };
  return taskEnv({ alloc, group, task, node, paths, hostEnv: isApart ? {} : options.hostEnv, denied: options.envDenylist });
}

/** Source: reference behaviour §5.8. */
const pathsInImage = { alloc: "/alloc", local: "/local", secrets: "/secrets" };

function missingDriver(name: string): TaskFailure {
  const message = `driver "${name}" is not available on this node`;
  return new TaskFailure(message, (at) => driverFailure(at, message), false);
}

function hookFailure(hook: string, error: unknown): TaskFailure {
  if (error instanceof TaskFailure) return error;
  const message = messageOf(error);
  const recoverable = error instanceof DriverError && error.recoverable;
  return new TaskFailure(message, (at) => hookFailed(at, hook, message), recoverable, { cause: error });
}
