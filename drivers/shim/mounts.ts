import { lstatSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { getSystemErrorName } from "node:util";
import type { Launcher } from "./launcher.js";
import { type MountPoint, mountsBelow } from "./mountinfo.js";
import { ShimError, type TmpfsMount } from "./protocol.js";

/** Mounts for the agent: what a hardened agent mounted would be seen by no task. */
export class Mounts {
  readonly #launcher: Launcher;
  #made = 0;

  constructor(launcher: Launcher) {
    this.#launcher = launcher;
  }

  /** @throws ShimError that says what the kernel said. */
  async addTmpfs({ path, bytes, uid, gid, mode }: TmpfsMount): Promise<void> {
    if (isMountPoint(path)) return;
    await this.#do(path, `size=${bytes},mode=${mode.toString(8)},uid=${uid},gid=${gid}`);
  }

  /** @throws ShimError when something stays mounted. */
  async removeBelow(directory: string): Promise<void> {
    for (const point of pointsBelow(directory)) await this.#do(point, "");
  }

  async #do(path: string, options: string): Promise<void> {
    const errno = await this.#launcher.mount(`mount-${this.#made++}`, path, options);
    if (errno !== 0) throw new ShimError("ESTART", `${options === "" ? "unmount" : "mount"} ${path}: ${getSystemErrorName(-errno)}`);
  }
}

const isMountPoint = (path: string): boolean => lstatSync(path).dev !== lstatSync(dirname(path)).dev;

const pointsBelow = (directory: string): readonly MountPoint[] => mountsBelow(readFileSync("/proc/self/mountinfo", "utf8"), directory);
