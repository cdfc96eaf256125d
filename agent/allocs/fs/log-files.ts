import { type FileHandle, lstat, opendir } from "node:fs/promises";
import { subdirectory } from "./find.js";
import { unlessMissing } from "./fs-error.js";
import { fdPath, type Held, hold, openHeld } from "./held.js";
import type { LogFile } from "./log-position.js";

/** More names than this in one directory are not a log that we wrote. */
const maxFiles = 10_000;

export interface OpenLogFile {
  readonly index: number;
  readonly handle: FileHandle;
  /** Tells it from another file that takes its name later. */
  readonly identity: string;
}

/**
 * The files of one stream of one task in a held `alloc/logs`. Another process appends to the newest, makes the next and
 * removes the oldest. What a task put there instead, links, FIFOs, directories, is passed over and never opened.
 */
export class LogFiles {
  readonly directory: FileHandle;
  readonly #prefix: string;

  private constructor(directory: FileHandle, prefix: string) {
    this.directory = directory;
    this.#prefix = prefix;
  }

  /** @param root the allocation's held directory. @throws the file system's error. */
  static async open(root: FileHandle, task: string, type: LogType): Promise<LogFiles> {
    return new LogFiles(await subdirectory(root, "alloc", "logs"), `${task}.${type}.`);
  }

  /** The files that are there, by rising index. */
  async list(): Promise<readonly LogFile[]> {
    const files: LogFile[] = [];
    for (const index of await this.#indexes()) {
      const stat = await lstat(`${fdPath(this.directory)}/${this.name(index)}`).catch(unlessMissing);
      if (stat?.isFile()) files.push({ index, size: stat.size });
    }
    return files;
  }

  /** Undefined when it is gone, or no regular file. */
  async openAt(index: number): Promise<OpenLogFile | undefined> {
    const found: Held | undefined = await hold(this.directory, this.name(index)).catch(unlessMissing);
    if (found === undefined) return undefined;
    try {
      if (!found.stat.isFile()) return undefined;
      return { index, handle: await openHeld(found.handle), identity: `${found.stat.dev}:${found.stat.ino}` };
    } finally {
      await found.handle.close();
    }
  }

  /** The file that follows: the next one by index, or another one that took the name of the given one. */
  async openAfter(current: OpenLogFile): Promise<OpenLogFile | undefined> {
    for (const index of await this.#indexes()) {
      if (index < current.index) continue;
      const file = await this.openAt(index);
      if (file !== undefined && file.identity !== current.identity) return file;
      await file?.handle.close();
    }
    return undefined;
  }

  name(index: number): string {
    return `${this.#prefix}${index}`;
  }

  /** From the allocation's root. */
  path(index: number): string {
    return `alloc/logs/${this.name(index)}`;
  }

  owns(name: string): boolean {
    return name.startsWith(this.#prefix);
  }

  close(): Promise<void> {
    return this.directory.close();
  }

  async #indexes(): Promise<number[]> {
    const indexes: number[] = [];
    for await (const { name } of await opendir(fdPath(this.directory))) {
      if (!this.owns(name) || !/^(0|[1-9]\d{0,8})$/.test(name.slice(this.#prefix.length))) continue;
      indexes.push(Number(name.slice(this.#prefix.length)));
      if (indexes.length === maxFiles) break;
    }
    return indexes.sort((a, b) => a - b);
  }
}

export type LogType = "stdout" | "stderr";
