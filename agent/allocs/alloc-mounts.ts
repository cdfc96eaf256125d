import { readdir, readFile, realpath, stat } from "node:fs/promises";
import type { TaskDirs } from "../../drivers/driver.js";
import { mountsBelow } from "../../drivers/shim/mountinfo.js";
import type { Logger } from "../log.js";
import type { Owner } from "./owner.js";
import { messageOf } from "./task-failure.js";

interface TmpfsMount {
  readonly path: string;
  readonly bytes: number;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Who mounts for us, in the host's own namespace: the shim. */
export interface Mounter {
  readonly canMount: boolean;
  mountTmpfs(mount: TmpfsMount): Promise<void>;
  unmountBelow(directory: string): Promise<void>;
}

const bytesPerMiB = 1024 * 1024;

/** What is mounted in the directories of allocations. */
export class AllocMounts {
  readonly #mounter: Mounter | null;
  readonly #log: Logger;
  /** The kernel lets nobody here mount. */
  #isRefused = false;
  #isTold = false;
  #mountinfo: Promise<string> | undefined;

  /** @param mounter null: nothing is ever mounted. */
  constructor(deps: { readonly mounter: Mounter | null; readonly log: Logger }) {
    this.#mounter = deps.mounter;
    this.#log = deps.log;
  }

  /**
   * Keeps a task's secrets off the disk, where it can. Of users that only an image knows any may use them: nobody else can
   * pass the directory around them. What was mounted before stays, over restarts of task and agent.
   * Where nothing can be mounted the directory stays a plain one that only its owner can open, and the log says so once.
   * Source: reference behaviour §5.7.
   */
  async keepSecrets({ secrets, task }: TaskDirs, owner: Owner | "anyone" | null, sizeMB: number): Promise<void> {
    const mounter = this.#mounter;
    if (!mounter || this.#isRefused) return;
    try {
      const [own, around] = await Promise.all([stat(secrets), stat(task)]);
      // A mount would hide what an earlier agent, or the task, has put there.
      if (own.dev !== around.dev || (await readdir(secrets)).length > 0) return;
      if (!mounter.canMount) throw new Error("the shim can not mount");
      const { uid, gid } = owner === null || owner === "anyone" ? { uid: 0, gid: 0 } : owner;
      await mounter.mountTmpfs({ path: secrets, bytes: sizeMB * bytesPerMiB, uid, gid, mode: owner === "anyone" ? 0o1777 : 0o700 });
    } catch (error) {
      const reason = messageOf(error);
      this.#isRefused = /: E(PERM|ACCES)$/.test(reason);
      if (!this.#isTold) this.#log.warn({ reason, secrets }, "secrets are kept on the disk: no tmpfs can be mounted for them");
      this.#isTold = true;
    }
  }

  /**
   * Takes away all that is mounted below a directory, whoever has mounted it: to remove the directory would remove what
   * is in there.
   *
   * @throws Error when something stays.
   */
  async removeBelow(directory: string): Promise<void> {
    const path = await realpath(directory).catch(() => undefined);
    if (path === undefined || mountsBelow(await this.#read(), path).length === 0) return;
    await this.#mounter?.unmountBelow(path);
    const left = mountsBelow(await readFile("/proc/self/mountinfo", "utf8"), path);
    if (left.length > 0) throw new Error(`${left[0]} is still mounted`);
  }

  /** One read for all who ask in one turn of the event loop: many allocations are removed at once. */
  #read(): Promise<string> {
    if (!this.#mountinfo) {
      this.#mountinfo = readFile("/proc/self/mountinfo", "utf8");
      setImmediate(() => {
        this.#mountinfo = undefined;
      });
    }
    return this.#mountinfo;
  }
}
