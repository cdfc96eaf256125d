import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** A directory of a tree: its path from the tree's root, and its mode. Parents come first. */
export type Dir = readonly [path: string, mode: number];
export type TreeKind = "alloc" | "task";

/** Trees of each kind that are kept ready. */
const kept = 8;
/** Making them waits until nobody has asked for so long: it must not take time from starts. */
const idleMs = 250;

/**
 * Trees of directories that are made ahead, in idle time. An allocation with a task needs eleven directories, and a file
 * system that has just removed many takes half a millisecond for each: that would be the larger part of a start.
 */
export class ReadyDirs {
  readonly #root: string;
  readonly #shapes: Readonly<Record<TreeKind, readonly Dir[]>>;
  readonly #ready: Readonly<Record<TreeKind, string[]>> = { alloc: [], task: [] };
  #timer: NodeJS.Timeout | undefined;
  #filling: Promise<void> = Promise.resolve();
  #made = 0;
  #closed = false;

  /** @param root a directory of ours on the file system of the allocations; what an earlier agent has left in it is used. */
  constructor(root: string, shapes: Readonly<Record<TreeKind, readonly Dir[]>>) {
    this.#root = root;
    this.#shapes = shapes;
  }

  /** Takes up what is there and makes what is missing, later. @throws the file system's error. */
  open(): void {
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#root)) {
      const [kind] = name.split("-");
      if (kind === "alloc" || kind === "task") this.#ready[kind].push(join(this.#root, name));
    }
    this.#later();
  }

  /** Moves a tree to `path`. @returns false when there is none, or something is there already: then nothing has changed. */
  take(kind: TreeKind, path: string): boolean {
    const tree = this.#ready[kind].pop();
    this.#later();
    if (tree === undefined) return false;
    try {
      renameSync(tree, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#ready[kind].push(tree);
      return false;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#filling;
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#filling = this.#filling.then(() => this.#fill());
    }, idleMs);
    this.#timer.unref();
  }

  /** A full disk, say, is no matter here: who finds nothing ready makes it, and fails with a reason. */
  async #fill(): Promise<void> {
    const timer = this.#timer;
    for (const kind of ["alloc", "task"] as const) {
      while (!this.#closed && this.#timer === timer && this.#ready[kind].length < kept) {
        try {
          this.#ready[kind].push(await this.#make(kind));
        } catch {
          return;
        }
      }
    }
  }

  async #make(kind: TreeKind): Promise<string> {
    const number = `${process.pid}-${this.#made++}`;
    const draft = join(this.#root, `new-${number}`);
    await rm(draft, { recursive: true, force: true });
    for (const [path, mode] of this.#shapes[kind]) {
      await mkdir(join(draft, path), { mode });
      await chmod(join(draft, path), mode);
    }
    const tree = join(this.#root, `${kind}-${number}`);
    await rename(draft, tree);
    return tree;
  }
}
