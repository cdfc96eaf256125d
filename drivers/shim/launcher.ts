import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { closingAllFds } from "./launch.js";

/**
 * Starts a shim that outlives us: in a session of its own, with nothing inherited but /dev/null and its log.
 *
 * @param runtimeDir where its socket and records are.
 * @param logFile its log, appended to.
 */
export function launchShim(runtimeDir: string, logFile: string): void {
  mkdirSync(runtimeDir, { recursive: true, mode: 0o700 });
  const log = openSync(logFile, "a", 0o600);
  try {
    const main = fileURLToPath(new URL("./main.js", import.meta.url));
    const words = closingAllFds([process.execPath, "--max-semi-space-size=1", main, runtimeDir]);
    spawn(words[0] as string, words.slice(1), { cwd: "/", detached: true, stdio: ["ignore", log, log], env: shimEnvironment() }).unref();
  } finally {
    closeSync(log);
  }
}

/** Nothing of the agent's environment is the shim's business, nor may NODE_OPTIONS reach it. */
const shimEnvironment = (): Record<string, string> => ({
  PATH: process.env.PATH ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
});
