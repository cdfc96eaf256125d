import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { shimProgram } from "./program.js";
import { ShimError } from "./protocol.js";

/** A shell that can name descriptors above 9. */
const fdClosingShell = "/bin/bash";

/** What the kernel has room for in a socket's address. */
const maxSocketPathBytes = 107;

/**
 * Starts a shim that outlives us: in a session of its own, with nothing inherited but /dev/null and its log.
 *
 * @param runtimeDir where its socket and records are.
 * @param logFile its log, appended to. On a disk that takes no file the shim goes without.
 * @throws ShimError when it can not come up there.
 */
export function launchShim(runtimeDir: string, logFile: string): void {
  if (Buffer.byteLength(`${runtimeDir}/shim.sock`) > maxSocketPathBytes)
    throw new ShimError("ESTART", `runtime_dir: ${runtimeDir} is too long for the address of a socket in it`);
  mkdirSync(runtimeDir, { recursive: true, mode: 0o700 });
  const log = openLog(logFile);
  try {
    const words = closingAllFds([shimProgram.node, "--max-semi-space-size=1", shimProgram.main, runtimeDir]);
    const child = spawn(words[0] as string, words.slice(1), {
      cwd: "/",
      detached: true,
      stdio: ["ignore", log, log],
      env: shimEnvironment(),
    });
    // Whoever waits for its socket tries again, and says so in the end.
    child.once("error", () => {});
    child.unref();
  } finally {
    closeSync(log);
  }
}

function openLog(file: string): number {
  try {
    return openSync(file, "a", 0o600);
  } catch {
    return openSync("/dev/null", "a");
  }
}

/** Nothing of the agent's environment is the shim's business, nor may NODE_OPTIONS reach it. */
const shimEnvironment = (): Record<string, string> => ({
  PATH: process.env.PATH ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
});

/** Starts a program with nothing inherited but 0, 1 and 2. */
const closingAllFds = (argv: readonly string[]): string[] => [
  fdClosingShell,
  "--norc",
  "-c",
  'for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -gt 2 ] && eval "exec $fd>&-"; done; exec "$@"',
  "allocd",
  ...argv,
];
