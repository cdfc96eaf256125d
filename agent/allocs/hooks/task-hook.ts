import type { Driver, TaskDirs } from "../../../drivers/driver.js";
import type { Clock } from "../../clock.js";
import type { Logger } from "../../log.js";
import type { Allocation } from "../../model/allocation.js";
import type { Task, TaskGroup } from "../../model/job.js";
import type { Node } from "../../model/node.js";
import type { Env } from "../../model/task-env.js";
import type { TaskEvent } from "../../model/task-state.js";
import type { UnixNano } from "../../model/units.js";
import type { AllocMounts } from "../alloc-mounts.js";
import type { ReadyDirs } from "../ready-dirs.js";
import type { TaskControl } from "../task-control.js";

/** What a hook of a task has to work with. */
export interface TaskHookContext {
  readonly alloc: Allocation;
  readonly group: TaskGroup;
  readonly task: Task;
  readonly node: Node;
  readonly driver: Driver;
  readonly dirs: TaskDirs;
  readonly readyDirs: ReadyDirs;
  readonly mounts: AllocMounts;
  /** The variables that the task will get. Hooks may add to them; later hooks see it. */
  readonly env: Env;
  /** Whether the hook has succeeded for an earlier run of the task. */
  readonly isRepeat: boolean;
  /** Aborted when the task is killed or the agent ends. */
  readonly signal: AbortSignal;
  /** Aborted when the task has ended for good, or the agent ends: what a hook keeps going beside the task ends with it. */
  readonly lifetime: AbortSignal;
  readonly control: TaskControl;
  readonly clock: Clock;
  readonly log: Logger;
  emit(event: (at: UnixNano) => TaskEvent): void;
}

/** Work that has to be done before each start of a task. Each task has hooks of its own. */
export interface TaskHook {
  /** As in `Task hook failed` events. */
  readonly name: string;
  /**
   * @throws TaskFailure with the event that it leaves. Any other error leaves `Task hook failed`, and counts as one that
   * trying again does not help.
   */
  prestart(context: TaskHookContext): Promise<void> | void;
  /** Called instead when an earlier agent's run of the task goes on. What it throws is logged, and the task runs on. */
  resume?(context: TaskHookContext): Promise<void> | void;
}
