import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/**
 * The right to be the one shim of a runtime directory: two would share out the bytes of every task's output among them.
 * It ends with the process, however that ends. Node has no flock(2), but a lock that flock(1) takes on a descriptor of
 * ours stays with the descriptor.
 *
 * @returns its descriptor when it is ours now, to be kept open; undefined when it is another's.
 * @throws the file system's error.
 */
export function takeShimLock(dir: string): number | undefined {
  const fd = openSync(`${dir}/lock`, "a", 0o600);
  const { status, error } = spawnSync("/usr/bin/flock", ["--exclusive", "--nonblock", "3"], { stdio: ["ignore", "ignore", "ignore", fd] });
  // Never closed when taken: that would give it up.
  if (status !== 0) closeSync(fd);
  if (error) throw error;
  return status === 0 ? fd : undefined;
}
