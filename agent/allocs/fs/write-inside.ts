import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, unlink } from "node:fs/promises";
import type { Owner } from "../owner.js";
import { fdPath, hold, holdAgain } from "./held.js";

/** How a directory or file is to be. Null: the agent's own. */
export interface Ownership {
  readonly owner: Owner | null;
  /** Of a new directory. */
  readonly directoryMode?: number;
}

/** A path of a task's leads somewhere that nothing may be written to. `message` is made to be shown. */
export class EscapeError extends Error {
  override readonly name = "EscapeError";
}

/**
 * The names of a path from a directory, `..` resolved.
 *
 * @throws EscapeError when it leads out of the directory.
 */
export function namesOf(path: string): readonly string[] {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.pop() === undefined) throw new EscapeError(`${path} leads out of the allocation's directory`);
  }
  return names;
}

/**
 * Opens a directory below another one, step by step from what is held, and makes what is missing. A link on the way is
 * refused: a task that swaps a directory for one can not lead the agent elsewhere.
 *
 * @throws EscapeError for a link; the file system's error.
 */
export async function makeInside(
  from: FileHandle,
  names: readonly string[],
  { owner, directoryMode = 0o755 }: Ownership,
): Promise<FileHandle> {
  let here = (await holdAgain(from)).handle;
  try {
    for (const name of names) {
      const next = await holdDirectoryIn(here, name, owner, directoryMode);
      await here.close();
      here = next;
    }
    return here;
  } catch (error) {
    await here.close();
    throw error;
  }
}

async function holdDirectoryIn(parent: FileHandle, name: string, owner: Owner | null, mode: number): Promise<FileHandle> {
  const isNew = await mkdir(`${fdPath(parent)}/${name}`, { mode }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return false;
      throw error;
    },
  );
  const { handle, stat } = await hold(parent, name);
  try {
    if (stat.isSymbolicLink()) throw new EscapeError(`${name} is a link, want a directory`);
    if (!stat.isDirectory()) throw Object.assign(new Error(`${name} is no directory`), { code: "ENOTDIR" });
    if (isNew && owner) {
      const opened = await open(fdPath(handle), constants.O_RDONLY | constants.O_DIRECTORY);
      await opened.chown(owner.uid, owner.gid).finally(() => opened.close());
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Writes a file whole or not at all, in place of whatever has the name. */
export async function writeInside(
  directory: FileHandle,
  name: string,
  content: Buffer,
  { owner, mode }: { readonly owner: Owner | null; readonly mode: number },
): Promise<void> {
  const draft = `${fdPath(directory)}/.${name.slice(0, 200)}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(content);
    if (owner) await file.chown(owner.uid, owner.gid);
    await file.chmod(mode);
    await file.close();
    await rename(draft, `${fdPath(directory)}/${name}`);
  } catch (error) {
    await file.close().catch(() => {});
    await unlink(draft).catch(() => {});
    throw error;
  }
}

/**
 * Reads a regular file of a directory, following no link.
 *
 * @param limit bytes; a longer file is refused.
 * @returns undefined when there is none.
 */
export async function readInside(directory: FileHandle, name: string, limit: number): Promise<Buffer | undefined> {
  const held = await hold(directory, name).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!held) return undefined;
  try {
    return await readHeld(held.handle, held.stat, limit);
  } finally {
    await held.handle.close();
  }
}

/** @returns undefined for what is no regular file. @throws Error when it is longer than the limit. */
export async function readHeld(
  handle: FileHandle,
  stat: { isFile(): boolean; readonly size: bigint },
  limit: number,
): Promise<Buffer | undefined> {
  if (!stat.isFile()) return undefined;
  if (stat.size > BigInt(limit)) throw new Error(`the file has ${stat.size} bytes, want at most ${limit}`);
  const file = await open(fdPath(handle), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    // It may grow while it is read: no more than the limit is taken of it.
    const parts: Buffer[] = [];
    for (let size = 0; size <= limit; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(65_536, limit + 1 - size)));
      if (bytesRead === 0) return Buffer.concat(parts);
      parts.push(buffer.subarray(0, bytesRead));
      size += bytesRead;
    }
    throw new Error(`the file has more than ${limit} bytes`);
  } finally {
    await file.close();
  }
}
