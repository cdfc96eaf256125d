import { makeAllocDir, writeAllocFile } from "../alloc-dir.js";
import type { AllocHook } from "./alloc-hook.js";

export const makeAllocDirHook: AllocHook = {
  name: "alloc_dir",
  prerun({ alloc, dataDir, readyDirs }) {
    makeAllocDir(dataDir, alloc.ID, readyDirs);
    writeAllocFile(dataDir, alloc);
  },
};
