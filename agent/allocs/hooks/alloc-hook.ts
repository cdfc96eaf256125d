import type { Driver } from "../../../drivers/driver.js";
import type { Logger } from "../../log.js";
import type { Allocation, AllocNetworkStatus } from "../../model/allocation.js";
import type { TaskGroup } from "../../model/job.js";
import type { AllocServices } from "../../services/alloc-services.js";
import type { ReadyDirs } from "../ready-dirs.js";

/** What a hook of an allocation has to work with. */
export interface AllocHookContext {
  readonly alloc: Allocation;
  readonly group: TaskGroup;
  readonly dataDir: string;
  readonly readyDirs: ReadyDirs;
  /** By the name that tasks say. */
  readonly drivers: ReadonlyMap<string, Driver>;
  /** Whether a task of it has been started before: an earlier agent has set it up. */
  readonly isUnderWay: boolean;
  /** Resolves when nothing of another allocation of this host runs any more; at once for one that is not known. */
  ended(allocId: string): Promise<void>;
  readonly services: AllocServices;
  readonly log: Logger;
  /** Aborted when the allocation is stopped, or the agent ends: waiting makes no sense any more. */
  readonly signal: AbortSignal;
  /** The allocation has a network of its own. */
  network(status: AllocNetworkStatus): void;
}

/** Work that has to be done before any task of an allocation starts, by every agent that takes it up. */
export interface AllocHook {
  /** As in `Setup Failure` events. */
  readonly name: string;
  /** @throws Error whose message says why the allocation can not run. */
  prerun(context: AllocHookContext): Promise<void> | void;
  /** Undoes it once nothing of the allocation runs any more. An error is logged. */
  postrun?(context: Pick<AllocHookContext, "alloc" | "drivers">): Promise<void> | void;
}
