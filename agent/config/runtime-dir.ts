import { createHash } from "node:crypto";
import { join } from "node:path";

/**
 * Where an agent keeps its sockets when the configuration does not say: its own for each data directory, so that agents
 * with different ones never meet, and short, because a Unix socket's path has 107 bytes at most.
 *
 * @param uid 0 has /run, which is gone after a reboot as the tasks are; others keep it beside their data.
 */
export function defaultRuntimeDir(dataDir: string, uid = process.getuid?.() ?? 0): string {
  if (uid !== 0) return join(dataDir, "run");
  return join("/run/allocd", createHash("sha256").update(dataDir).digest("hex").slice(0, 12));
}
