import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ShimProgram } from "./protocol.js";

/** The shim that came with this build. */
export const shimProgram: ShimProgram = { node: process.execPath, main: fileURLToPath(new URL("./main.js", import.meta.url)) };

/** When it was built, in Unix milliseconds; 0 where there is only the source. */
export const shimBuiltAt = Math.floor(statSync(shimProgram.main, { throwIfNoEntry: false })?.mtimeMs ?? 0);
