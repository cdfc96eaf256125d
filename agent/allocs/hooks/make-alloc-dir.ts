import { hasAllocFile, makeAllocDir, writeAllocFile } from "../alloc-dir.js";
import type { AllocHook } from "./alloc-hook.js";

export const makeAllocDirHook: AllocHook = {
  name: "alloc_dir",
  prerun({ alloc, dataDir, readyDirs, isUnderWay }) {
    makeAllocDir(dataDir, alloc.ID, readyDirs);
    // What runs must not depend on a disk that takes nothing more.
    if (!(isUnderWay && hasAllocFile(dataDir, alloc.ID))) writeAllocFile(dataDir, alloc);
  },
};
