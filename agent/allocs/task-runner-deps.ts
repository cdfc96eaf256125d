import type { Driver } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Allocation } from "../model/allocation.js";
import type { Task, TaskGroup } from "../model/job.js";
import type { Node } from "../model/node.js";
import type { StateStore } from "../store/state-store.js";
import type { AllocReport } from "./alloc-report.js";
import type { TaskHook } from "./hooks/task-hook.js";
import type { ReadyDirs } from "./ready-dirs.js";

export interface TaskRunnerOptions {
  /** The longest a task may ask for between the kill signal and SIGKILL, in nanoseconds. */
  readonly maxKillTimeoutNs: number;
  /** Variables of the agent's environment that no task gets; with `*`. */
  readonly envDenylist: readonly string[];
  /** The agent's environment. */
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  /** 0 up to, not including, 1. */
  readonly random: () => number;
}

export interface TaskRunnerDeps {
  readonly name: string;
  /** The allocation as it is wanted now. */
  readonly placement: () => { readonly alloc: Allocation; readonly group: TaskGroup; readonly task: Task };
  readonly driver: Driver | undefined;
  readonly node: () => Node;
  readonly store: StateStore;
  readonly report: AllocReport;
  readonly clock: Clock;
  readonly log: Logger;
  readonly dataDir: string;
  readonly readyDirs: ReadyDirs;
  readonly options: TaskRunnerOptions;
  /** Makes the hooks of one task. */
  readonly hooks: () => readonly TaskHook[];
  readonly mayStart: () => boolean;
  /** Aborted when shutdown delays are to be skipped. */
  readonly skipDelays: AbortSignal;
  readonly onChange: () => void;
}
