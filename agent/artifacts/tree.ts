import { createWriteStream } from "node:fs";
import { chmod, lchown, link, lstat, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Owner } from "../allocs/owner.js";
import { refused } from "./artifact-error.js";
import type { Budget } from "./budget.js";

const maxNameBytes = 255;
const maxDepth = 100;

/**
 * A directory that an archive is unpacked into. It lies where nobody else can reach it. Links are made when everything
 * else is there, so that no entry can be written through one.
 */
export class Tree {
  readonly path: string;
  readonly #owner: Owner | null;
  readonly #budget: Budget;
  readonly #links = new Map<string, string>();
  readonly #directories = new Set<string>();
  /** By name; an archive may hold a file twice, and the last one counts. */
  readonly #files = new Set<string>();

  constructor(path: string, owner: Owner | null, budget: Budget) {
    this.path = path;
    this.#owner = owner;
    this.#budget = budget;
  }

  async directory(name: string, mode: number): Promise<void> {
    this.#budget.entry();
    const names = entryNames(name);
    await this.#makeDirectories(names);
    if (names.length > 0) await chmod(join(this.path, ...names), (mode & 0o777) | 0o700);
  }

  /** @param mode of which only the permissions are taken: what an archive says of set-user-id is nobody's right. */
  async file(name: string, mode: number, content: Readable): Promise<void> {
    this.#budget.entry();
    const names = entryNames(name);
    if (names.length === 0) throw refused(`the archive has a file named ${JSON.stringify(name)}`);
    const key = names.join("/");
    if (this.#directories.has(key)) throw refused(`the archive has a file and a directory named ${JSON.stringify(key)}`);
    await this.#makeDirectories(names.slice(0, -1));
    this.#links.delete(key);
    const path = join(this.path, ...names);
    const budget = this.#budget;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        try {
          budget.take(chunk.length);
          done(null, chunk);
        } catch (error) {
          done(error as Error);
        }
      },
    });
    await pipeline(content, counted, createWriteStream(path, { flags: this.#files.has(key) ? "w" : "wx", mode: 0o600 }));
    this.#files.add(key);
    await chmod(path, (mode & 0o777) | 0o600);
    if (this.#owner) await lchown(path, this.#owner.uid, this.#owner.gid);
  }

  /** @throws ArtifactError for a link that leads out of the tree. */
  async symlink(name: string, target: string): Promise<void> {
    this.#budget.entry();
    const names = entryNames(name);
    const key = names.join("/");
    if (names.length === 0 || this.#files.has(key) || this.#directories.has(key))
      throw refused(`the archive has two entries named ${JSON.stringify(name)}`);
    checkLink(names, target);
    await this.#makeDirectories(names.slice(0, -1));
    this.#links.set(key, target);
  }

  /** A second name for a file that the archive has already. */
  async hardLink(name: string, target: string): Promise<void> {
    this.#budget.entry();
    const [names, from] = [entryNames(name), entryNames(target)];
    const key = names.join("/");
    if (!this.#files.has(from.join("/")))
      throw refused(`the archive links ${JSON.stringify(name)} to ${JSON.stringify(target)}, which is no file of it`);
    if (this.#files.has(key) || this.#directories.has(key) || this.#links.has(key))
      throw refused(`the archive has two entries named ${JSON.stringify(name)}`);
    await this.#makeDirectories(names.slice(0, -1));
    await link(join(this.path, ...from), join(this.path, ...names));
    this.#files.add(key);
  }

  /** Makes the links. Nothing is added after it. */
  async finish(): Promise<void> {
    for (const [key, target] of this.#links) {
      const path = join(this.path, key);
      await symlink(target, path);
      if (this.#owner) await lchown(path, this.#owner.uid, this.#owner.gid);
    }
  }

  async #makeDirectories(names: readonly string[]): Promise<void> {
    for (let depth = 1; depth <= names.length; depth++) {
      const key = names.slice(0, depth).join("/");
      if (this.#directories.has(key)) continue;
      if (this.#files.has(key) || this.#links.has(key))
        throw refused(`the archive has an entry below ${JSON.stringify(key)}, which is no directory`);
      const path = join(this.path, key);
      await mkdir(path, { mode: 0o755 });
      if (this.#owner) await lchown(path, this.#owner.uid, this.#owner.gid);
      this.#directories.add(key);
    }
  }
}

/** @throws ArtifactError for a name that leads out of the tree, or that no file can have. */
export function entryNames(name: string): readonly string[] {
  if (name.includes("\0") || name.startsWith("/") || /^[A-Za-z]:[\\/]/.test(name))
    throw refused(`the archive has an entry ${JSON.stringify(name.slice(0, 200))}, want a relative path`);
  const names = name.split("/").filter((part) => part !== "" && part !== ".");
  if (names.includes("..")) throw refused(`the archive has an entry ${JSON.stringify(name.slice(0, 200))}, which leads out of it`);
  if (names.length > maxDepth || names.some((part) => Buffer.byteLength(part) > maxNameBytes))
    throw refused("the archive has an entry with too long a name");
  return names;
}

/**
 * A link may go up only at its beginning, and not beyond the tree: then it leads to within the tree, whatever other
 * links it passes.
 *
 * @param names of the link itself.
 * @throws ArtifactError
 */
export function checkLink(names: readonly string[], target: string): void {
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const ups = parts.findIndex((part) => part !== "..");
  const climbs = ups < 0 ? parts.length : ups;
  const isSafe =
    target !== "" && !target.startsWith("/") && climbs < names.length && !parts.slice(climbs).includes("..") && !target.includes("\0");
  if (!isSafe)
    throw refused(`the link ${JSON.stringify(names.join("/"))} to ${JSON.stringify(target.slice(0, 200))} leads out of the artifact`);
}

/** Whether a path is there, and what it is. */
export const kindOf = (path: string): Promise<"file" | "directory" | "other" | "none"> =>
  lstat(path).then(
    (stat) => (stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "other"),
    () => "none",
  );
