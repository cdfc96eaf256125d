import type { BigIntStats } from "node:fs";
import { type FileHandle, lstat, opendir } from "node:fs/promises";
import type { Clock } from "../../clock.js";
import { AllocdError } from "../../errors.js";
import type { Logger } from "../../log.js";
import type { Allocation } from "../../model/allocation.js";
import { describe } from "../../model/invalid-field.js";
import type { StateWatch } from "../../store/state-store.js";
import { Changes, type FollowTimes } from "./changes.js";
import { binaryType, contentType, sniffBytes } from "./content-type.js";
import { FileCursor } from "./file-cursor.js";
import { type FileInfo, fileInfo, fileKind } from "./file-info.js";
import { FileSource } from "./file-source.js";
import { type Found, find, isHidden, openRoot } from "./find.js";
import { fsError, notAFile, unlessMissing } from "./fs-error.js";
import { fdPath, openHeld } from "./held.js";
import { LogFiles, type LogType } from "./log-files.js";
import { LogFollowing } from "./log-following.js";
import { LogSource } from "./log-source.js";
import type { Origin, PieceSource } from "./piece.js";

export interface AllocFilesDeps {
  /** Absolute; allocations are in `<data dir>/alloc/<id>`. */
  readonly dataDir: string;
  readonly alloc: (id: string) => Allocation | undefined;
  readonly watch: StateWatch;
  readonly clock: Clock;
  readonly log: Logger;
  readonly options?: Partial<AllocFilesOptions>;
}

export interface AllocFilesOptions extends FollowTimes {
  /** Streams that may follow at once; one more is 429. */
  readonly maxFollowers: number;
  /** A directory with more entries is not listed: 413. */
  readonly maxEntries: number;
}

const defaults: AllocFilesOptions = { maxFollowers: 1_000, maxEntries: 100_000, heartbeatMs: 1_000, unwatchedMs: 100, gatherMs: 10 };

export interface LogsQuery {
  readonly task: string;
  readonly type: LogType;
  /** `until-dead` ends when the task is dead and all of its log is read. */
  readonly follow: boolean | "until-dead";
  readonly origin: Origin;
  readonly offset: number;
}

/**
 * Reads an allocation's directory and logs for callers from outside. A task writes there whatever it likes, so nothing
 * in it is trusted: see `find` and `LogFiles`. All paths are from the allocation's directory.
 *
 * All methods reject with AllocdError or InvalidField. Sources hold descriptors: whoever gets one closes it.
 */
export class AllocFiles {
  readonly #deps: AllocFilesDeps;
  readonly #options: AllocFilesOptions;
  #followers = 0;

  constructor(deps: AllocFilesDeps) {
    this.#deps = deps;
    this.#options = { ...defaults, ...deps.options };
  }

  /** The entries of a directory by name, links as links. What vanishes meanwhile is left out. */
  async ls(allocId: string, path: string): Promise<readonly FileInfo[]> {
    return this.#with(allocId, path, { reading: false }, async ({ handle }) => {
      const names: string[] = [];
      for await (const { name } of await opendir(fdPath(handle))) {
        names.push(name);
        if (names.length > this.#options.maxEntries)
          throw new AllocdError("too-large", `${path}: has more than ${this.#options.maxEntries} entries`);
      }
      const infos: FileInfo[] = [];
      for (const name of names.sort()) {
        const stat = await lstat(`${fdPath(handle)}/${name}`, { bigint: true }).catch(unlessMissing);
        if (stat !== undefined) infos.push(fileInfo(name, stat));
      }
      return infos;
    });
  }

  /** What a path leads to, through links. The name is the path's own. */
  async stat(allocId: string, path: string): Promise<FileInfo> {
    return this.#with(allocId, path, { reading: false }, async ({ handle, stat, names }) => {
      const name = path.split("/").findLast((part) => part !== "" && part !== ".") ?? allocId;
      return { ContentType: await typeOf(handle, stat, names, name), ...fileInfo(name, stat) };
    });
  }

  /**
   * A part of a file, at most as long as the file is now.
   *
   * @param range.limit bytes; undefined is to the end.
   */
  async read(
    allocId: string,
    path: string,
    range: { readonly offset: number; readonly limit?: number },
  ): Promise<{ readonly contentType: string; readonly source: PieceSource }> {
    return this.#open(allocId, path, async (handle, file) => {
      const { size } = await handle.stat();
      const end = Math.min(size, range.offset + (range.limit ?? size));
      const type = contentType("", await bytesAt(handle, range.offset));
      return { contentType: type, source: new FileSource(new FileCursor({ handle, file, offset: range.offset, end })) };
    });
  }

  /** A file from one place on, to its end or, when following, until it is deleted. */
  async stream(
    allocId: string,
    path: string,
    query: { readonly follow: boolean; readonly origin: Origin; readonly offset: number },
  ): Promise<PieceSource> {
    return this.#counted(query.follow, () =>
      this.#open(allocId, path, async (handle, file) => {
        const { size } = await handle.stat();
        const offset = query.origin === "start" ? query.offset : Math.max(0, size - query.offset);
        const cursor = new FileCursor({ handle, file, offset, restarts: query.follow, ...(query.follow ? {} : { end: size }) });
        return query.follow ? new FileSource(cursor, this.#changes(allocId)(handle)) : new FileSource(cursor);
      }),
    );
  }

  /** A task's log, its files as one. The follower of a task that was removed ends with its log. */
  async logs(allocId: string, query: LogsQuery): Promise<PieceSource> {
    const { task, type } = query;
    const taskState = this.#startedTask(allocId, task);
    return this.#counted(query.follow !== false, async () => {
      const missing = (): AllocdError =>
        new AllocdError("not-found", `log entry for task ${describe(task)} and log type ${describe(type)} not found`);
      const files = await this.#logFiles(allocId, task, type).catch((error: NodeJS.ErrnoException) => {
        throw ["ENOENT", "ENOTDIR", "not-found"].includes(error.code ?? "") ? missing() : error;
      });
      let following: LogFollowing | undefined;
      try {
        if (query.follow !== false) {
          const isOver = (): boolean => {
            const state = taskState();
            return state === undefined || (query.follow === "until-dead" && state === "dead");
          };
          following = new LogFollowing(files, this.#changes(allocId, task), { watch: this.#deps.watch, key: `alloc:${allocId}`, isOver });
        }
        const source = await LogSource.open(files, query, following);
        if (source === undefined) throw missing();
        return source;
      } catch (error) {
        following?.close();
        await files.close();
        throw error;
      }
    });
  }

  #alloc(id: string): Allocation {
    const alloc = this.#deps.alloc(id);
    if (alloc === undefined) throw new AllocdError("alloc-not-found", `Unknown allocation ${describe(id)}`);
    return alloc;
  }

  /** @returns what asks for the task's state at any later time; undefined when the allocation is gone. */
  #startedTask(allocId: string, task: string): () => string | undefined {
    const alloc = this.#alloc(allocId);
    const group = alloc.Job.TaskGroups.find(({ Name }) => Name === alloc.TaskGroup);
    if (group?.Tasks.some(({ Name }) => Name === task) !== true) throw new AllocdError("bad-query", `unknown task name ${describe(task)}`);
    const started = alloc.TaskStates?.[task]?.StartedAt ?? null;
    if (started === null) throw new AllocdError("not-found", `task ${describe(task)} not started yet. No logs available`);
    return () => this.#deps.alloc(allocId)?.TaskStates?.[task]?.State;
  }

  async #logFiles(allocId: string, task: string, type: LogType): Promise<LogFiles> {
    const root = await openRoot(this.#deps.dataDir, allocId);
    try {
      return await LogFiles.open(root, task, type);
    } finally {
      await root.close();
    }
  }

  /** Gives what a path leads to, and lets go of it afterwards. */
  async #with<T>(allocId: string, path: string, options: { readonly reading: boolean }, use: (found: Found) => Promise<T>): Promise<T> {
    const root = await openRoot(this.#deps.dataDir, this.#alloc(allocId).ID);
    let found: Found | undefined;
    try {
      found = await find(root, path, options);
      return await use(found);
    } catch (error) {
      throw fsError(error, path);
    } finally {
      await found?.handle.close();
      await root.close();
    }
  }

  /** Opens a regular file; `use` owns the handle when it resolves. */
  #open<T>(allocId: string, path: string, use: (handle: FileHandle, file: string) => Promise<T>): Promise<T> {
    return this.#with(allocId, path, { reading: true }, async (found) => {
      if (!found.stat.isFile()) throw notAFile(path, fileKind(found.stat));
      const handle = await openHeld(found.handle);
      try {
        return await use(handle, path);
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  #changes(allocId: string, task?: string) {
    const log = this.#deps.log.child(task === undefined ? { allocId } : { allocId, task });
    return (target: FileHandle, isRelevant?: (event: string, name: string | null) => boolean): Changes =>
      new Changes(target, { clock: this.#deps.clock, log, times: this.#options }, isRelevant);
  }

  /** Counts a follower from its opening to its closing. */
  async #counted(follows: boolean, open: () => Promise<PieceSource>): Promise<PieceSource> {
    if (!follows) return open();
    const { maxFollowers } = this.#options;
    if (this.#followers >= maxFollowers)
      throw new AllocdError("too-many-requests", `follow: ${maxFollowers} streams are followed already, which is the limit`);
    this.#followers += 1;
    let source: PieceSource;
    try {
      source = await open();
    } catch (error) {
      this.#followers -= 1;
      throw error;
    }
    let closed = false;
    return {
      next: (signal) => source.next(signal),
      close: async () => {
        if (closed) return;
        closed = true;
        this.#followers -= 1;
        await source.close();
      },
    };
  }
}

async function typeOf(held: FileHandle, stat: BigIntStats, names: readonly string[], name: string): Promise<string> {
  if (!stat.isFile() || isHidden(names)) return binaryType;
  const handle = await openHeld(held);
  try {
    return contentType(name, await bytesAt(handle, 0));
  } finally {
    await handle.close();
  }
}

async function bytesAt(handle: FileHandle, offset: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(sniffBytes), 0, sniffBytes, offset);
  return buffer.subarray(0, bytesRead);
}
