import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

/** A tmpfs that a test can fill. Who may not mount can not have one. */
export class SmallDisk {
  readonly #ballast: string;

  constructor(
    readonly path: string,
    mebibytes: number,
  ) {
    mkdirSync(path, { recursive: true });
    run("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", path);
    this.#ballast = join(path, "ballast");
  }

  /** To the last block. Others write there meanwhile. */
  fill(): void {
    try {
      for (let free = this.#free(); free > 0; free = this.#free()) writeFileSync(this.#ballast, Buffer.alloc(free), { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  drain(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** Lets it go, also from under whoever has files open there. */
  unmount(): void {
    spawnSync("umount", ["--lazy", this.path]);
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }
}

/** A file system on a device that begins to fail: its blocks are those of a file on a disk that is full then. */
export class FailingDisk {
  readonly #below: SmallDisk;

  constructor(
    readonly path: string,
    below: string,
  ) {
    this.#below = new SmallDisk(below, 24);
    const image = join(below, "image");
    writeFileSync(image, "");
    truncateSync(image, 256 << 20);
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1", image);
    mkdirSync(path, { recursive: true });
    run("mount", "-o", "loop", image, path);
  }

  /** From now on the device answers writes of new blocks with an error. */
  fail(): void {
    this.#below.fill();
  }

  unmount(): void {
    spawnSync("umount", ["--lazy", this.path]);
    this.#below.unmount();
  }
}
