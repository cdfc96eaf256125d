import { makeAllocDir, writeAllocFile } from "../alloc-dir.js";
import type { AllocHook } from "./alloc-hook.js";

export const makeAllocDirHook: AllocHook = {
  name: "alloc_dir",
  prerun({ alloc, dataDir }) {
    makeAllocDir(dataDir, alloc.ID);
    writeAllocFile(dataDir, alloc);
  },
};
