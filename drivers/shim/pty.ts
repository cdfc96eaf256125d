import { closeSync, constants, fchownSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import type { RunUser } from "./protocol.js";

/** The part of node-pty that we use; it is not in its public types. */
interface NativePty {
  open(cols: number, rows: number): { readonly master: number; readonly slave: number; readonly pty: string };
  resize(fd: number, cols: number, rows: number): void;
}

let native: NativePty | undefined;

/** Loaded when the first terminal is wanted: a shim without terminals stays small. */
const load = (): NativePty => {
  native ??= (createRequire(import.meta.url)("node-pty") as { native: NativePty }).native;
  return native;
};

export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

export interface Terminal {
  readonly master: number;
  /** To be closed by the caller when the command has ended. */
  readonly slave: number;
  readonly path: string;
}

/**
 * Opens a pty of the given size. node-pty's own `spawn` is not used: it keeps the agent's groups, costs a thread a child
 * and loses output that is unread when the child exits (node-pty#72).
 */
export function openTerminal(size: TerminalSize, user: RunUser | null): Terminal {
  const opened = load().open(clamp(size.cols), clamp(size.rows));
  try {
    // node-pty makes the slave non-blocking, and its opened description would be the command's: a fresh one is not.
    const slave = openSync(opened.pty, constants.O_RDWR | constants.O_NOCTTY);
    if (user) fchownSync(slave, user.uid, user.gid);
    return { master: opened.master, slave, path: opened.pty };
  } catch (error) {
    closeSync(opened.master);
    throw error;
  } finally {
    closeSync(opened.slave);
  }
}

export const resizeTerminal = (master: number, size: TerminalSize): void => load().resize(master, clamp(size.cols), clamp(size.rows));

/** The kernel's own range; 0 would make programs believe that there is no screen. */
const clamp = (cells: number): number => Math.min(65_535, Math.max(1, Math.trunc(cells)));
