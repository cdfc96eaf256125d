import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readlink, rename, symlink, unlink } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { fdPath, hold, holdDirectory } from "../allocs/fs/held.js";
import { EscapeError, makeInside } from "../allocs/fs/write-inside.js";
import type { Owner } from "../allocs/owner.js";
import { refused } from "./artifact-error.js";
import { checkLink } from "./tree.js";

/*
 * What was fetched is moved into the task's directory at the end. Both sides are walked by what is held and not by
 * paths: neither a task that swaps a directory for a link, nor what a repository left behind, leads the agent elsewhere.
 */

export interface Destination {
  readonly root: FileHandle;
  /** Names from the root. */
  readonly names: readonly string[];
  readonly owner: Owner | null;
}

/** Moves all that is in a directory into the destination, beside what is there; files of the same name are replaced. */
export async function installDirectory(path: string, { root, names, owner }: Destination): Promise<void> {
  const from = await holdDirectory(path);
  try {
    const to = await makeInside(root, names, { owner });
    try {
      await moveChildren(from, to, owner);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/** Moves one file to the destination, which is its new path. */
export async function installFile(directory: string, name: string, { root, names, owner }: Destination): Promise<void> {
  const last = names.at(-1);
  if (last === undefined) throw refused("want the path of a file");
  const from = await holdDirectory(directory);
  try {
    const to = await makeInside(root, names.slice(0, -1), { owner });
    try {
      await moveEntry(from, name, to, last, owner);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function moveChildren(from: FileHandle, to: FileHandle, owner: Owner | null): Promise<void> {
  for (const name of await readdir(fdPath(from))) await moveEntry(from, name, to, name, owner);
}

async function moveEntry(from: FileHandle, name: string, to: FileHandle, newName: string, owner: Owner | null): Promise<void> {
  const [source, target] = [`${fdPath(from)}/${name}`, `${fdPath(to)}/${newName}`];
  const entry = await hold(from, name);
  try {
    if (entry.stat.isDirectory() && (await isDirectory(to, newName))) return await mergeInto(entry.handle, to, newName, owner);
    try {
      await rename(source, target);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EISDIR" || code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR") {
        throw refused(`${newName} is there already, and is ${code === "ENOTDIR" ? "no" : "a"} directory`);
      }
      if (code !== "EXDEV") throw error;
      await copyEntry(entry, source, to, newName, owner);
    }
  } finally {
    await entry.handle.close();
  }
}

async function mergeInto(from: FileHandle, to: FileHandle, name: string, owner: Owner | null): Promise<void> {
  const inner = await makeInside(to, [name], { owner });
  try {
    await moveChildren(from, inner, owner);
  } finally {
    await inner.close();
  }
}

/** A link is none, wherever it leads. */
async function isDirectory(parent: FileHandle, name: string): Promise<boolean> {
  const held = await hold(parent, name).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  await held?.handle.close();
  return held?.stat.isDirectory() ?? false;
}

type Held = Awaited<ReturnType<typeof hold>>;

/** To another file system, such as a tmpfs for secrets. */
async function copyEntry({ handle, stat }: Held, source: string, to: FileHandle, name: string, owner: Owner | null): Promise<void> {
  const target = `${fdPath(to)}/${name}`;
  if (stat.isDirectory()) {
    await mkdir(target, { mode: Number(stat.mode & 0o777n) });
    return mergeInto(handle, to, name, owner);
  }
  await unlink(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (stat.isSymbolicLink()) return symlink(await readlink(source), target);
  if (!stat.isFile()) throw new EscapeError(`${name} is neither a file nor a directory nor a link`);
  const input = await open(fdPath(handle), constants.O_RDONLY | constants.O_NONBLOCK);
  const output = await open(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    await pipeline(input.createReadStream({ autoClose: false }), output.createWriteStream({ autoClose: false }));
    if (owner) await output.chown(owner.uid, owner.gid);
    await output.chmod(Number(stat.mode & 0o777n));
  } finally {
    await input.close();
    await output.close();
  }
}

/**
 * Looks through what a program has made: its size in entries, and that no link leads out of it.
 *
 * @throws ArtifactError
 */
export async function inspect(path: string, maxEntries: number): Promise<void> {
  let entries = 0;
  const walk = async (directory: FileHandle, names: readonly string[]): Promise<void> => {
    for (const name of await readdir(fdPath(directory))) {
      if (++entries > maxEntries) throw refused(`it has more than ${maxEntries} entries`);
      const { handle, stat } = await hold(directory, name);
      try {
        if (stat.isSymbolicLink()) checkLink([...names, name], await readlink(`${fdPath(directory)}/${name}`));
        else if (stat.isDirectory()) await walk(handle, [...names, name]);
        else if (!stat.isFile())
          throw refused(`it has an entry ${JSON.stringify([...names, name].join("/"))} that is no file, directory or link`);
      } finally {
        await handle.close();
      }
    }
  };
  const top = await holdDirectory(path);
  try {
    await walk(top, []);
  } finally {
    await top.close();
  }
}
