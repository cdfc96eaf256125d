import type { BigIntStats } from "node:fs";
import { type FileHandle, lstat, opendir } from "node:fs/promises";
import { unlessMissing } from "./fs/fs-error.js";
import { fdPath, hold, holdDirectory } from "./fs/held.js";

export interface DiskUsage {
  readonly bytes: number;
  /** Whether everything was counted: of more entries than the limit the rest is left out. */
  readonly isComplete: boolean;
}

const bytesPerBlock = 512;
/** Deeper directories are not looked into: each level holds a descriptor. */
const maxDepth = 64;

/**
 * What a directory takes on its disk. Links are not followed, by name or by a swap while it is looked at; what is mounted
 * below it is not counted.
 *
 * @param maxEntries files and directories that are looked at.
 * @throws the file system's error when there is no such directory.
 */
export async function diskUsage(path: string, maxEntries: number, signal: AbortSignal): Promise<DiskUsage> {
  const root = await holdDirectory(path);
  const count = new Count(await root.stat({ bigint: true }), maxEntries, signal);
  await walk(root, count, 0);
  return { bytes: Number(count.blocks) * bytesPerBlock, isComplete: count.isComplete };
}

class Count {
  blocks = 0n;
  isComplete = true;
  readonly #device: bigint;
  readonly #linked = new Set<bigint>();
  readonly #signal: AbortSignal;
  #left: number;

  constructor(root: BigIntStats, maxEntries: number, signal: AbortSignal) {
    this.#device = root.dev;
    this.#left = maxEntries;
    this.#signal = signal;
  }

  /** @returns whether the walk goes on. */
  goesOn(): boolean {
    if (this.#left-- > 0 && !this.#signal.aborted) return true;
    this.isComplete = false;
    return false;
  }

  /** @returns whether it is one of ours. */
  add({ dev, ino, nlink, blocks }: BigIntStats, isDirectory: boolean): boolean {
    if (dev !== this.#device) return false;
    // A file with many names is there once.
    if (!isDirectory && nlink > 1n) {
      if (this.#linked.has(ino)) return true;
      this.#linked.add(ino);
    }
    this.blocks += blocks;
    return true;
  }
}

async function walk(directory: FileHandle, count: Count, depth: number): Promise<void> {
  try {
    for await (const { name } of await opendir(fdPath(directory))) {
      if (!count.goesOn()) return;
      const stat = await lstat(`${fdPath(directory)}/${name}`, { bigint: true }).catch(unlessMissing);
      if (!stat || !count.add(stat, stat.isDirectory()) || !stat.isDirectory()) continue;
      if (depth === maxDepth) {
        count.isComplete = false;
        continue;
      }
      const held = await hold(directory, name).catch(unlessMissing);
      if (held?.stat.isDirectory() && held.stat.ino === stat.ino) await walk(held.handle, count, depth + 1);
      else await held?.handle.close();
    }
  } finally {
    await directory.close();
  }
}
