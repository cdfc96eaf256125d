import type { AllocHook } from "./alloc-hook.js";
import { awaitPreviousHook } from "./await-previous.js";
import { groupServicesHook } from "./group-services.js";
import { makeAllocDirHook } from "./make-alloc-dir.js";
import { migrateDiskHook } from "./migrate-disk.js";
import { networkHook } from "./network.js";

/** In the order in which they run. */
export const allocHooks: readonly AllocHook[] = [makeAllocDirHook, awaitPreviousHook, migrateDiskHook, networkHook, groupServicesHook];
