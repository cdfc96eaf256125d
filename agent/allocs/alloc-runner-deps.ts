import type { Driver } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Node } from "../model/node.js";
import type { Slots } from "../slots.js";
import type { StateStore } from "../store/state-store.js";
import type { AllocMounts } from "./alloc-mounts.js";
import type { TaskHook } from "./hooks/task-hook.js";
import type { ReadyDirs } from "./ready-dirs.js";
import type { TaskRunnerOptions } from "./task-runner-deps.js";

export interface AllocRunnerDeps {
  readonly store: StateStore;
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly node: () => Node;
  readonly clock: Clock;
  readonly log: Logger;
  readonly dataDir: string;
  readonly readyDirs: ReadyDirs;
  readonly mounts: AllocMounts;
  readonly options: TaskRunnerOptions;
  /** Makes the hooks of one task. */
  readonly taskHooks: () => readonly TaskHook[];
  /** For the checks of all allocations. */
  readonly checkSlots: Slots;
  /** Resolves when nothing of another allocation of this host runs any more. */
  readonly ended: (allocId: string) => Promise<void>;
}
