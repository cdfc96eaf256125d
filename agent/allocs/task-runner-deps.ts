import type { Driver, TaskRun } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Allocation } from "../model/allocation.js";
import type { Task, TaskGroup } from "../model/job.js";
import type { Node } from "../model/node.js";
import type { StateStore } from "../store/state-store.js";
import type { AllocMounts } from "./alloc-mounts.js";
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

/** Is told of the runs of tasks: whoever sends others to a task. */
export interface RunWatcher {
  /** A run is there, by this agent's hand or found again. */
  started(task: string, run: TaskRun): void;
  /** Called before a run is stopped. @returns resolves when it may be. */
  stopping(task: string): Promise<void>;
  ended(task: string): void;
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
  readonly mounts: AllocMounts;
  readonly options: TaskRunnerOptions;
  /** Makes the hooks of one task. */
  readonly hooks: () => readonly TaskHook[];
  readonly mayStart: () => boolean;
  /** Aborted when shutdown delays are to be skipped. */
  readonly skipDelays: AbortSignal;
  readonly runs: RunWatcher;
  readonly onChange: () => void;
}
