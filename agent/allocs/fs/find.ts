import { type FileHandle, readlink } from "node:fs/promises";
import { AllocdError } from "../../errors.js";
import { InvalidField } from "../../model/invalid-field.js";
import { allocRoot } from "../alloc-dir.js";
import { fsError, pathEscapes } from "./fs-error.js";
import { fdPath, type Held, hold, holdAgain, holdDirectory } from "./held.js";

/** Linux's own limits. */
const maxPathBytes = 4096;
const maxLinks = 40;
/** Each step opens one name, and `..` walks from the root again. */
const maxSteps = 1024;

/** Directories of a task that nobody reads from outside, and the words for them. Source: reference behaviour §9.2. */
const hidden = new Map([
  ["secrets", "secret"],
  ["private", "private"],
]);

/** What a path leads to. */
export interface Found extends Held {
  /** Where it really is, links resolved. Empty is the allocation's own directory. */
  readonly names: readonly string[];
}

/** @throws AllocdError 404 when the directory was not made yet, or is gone. */
export async function openRoot(dataDir: string, allocId: string): Promise<FileHandle> {
  let parent: FileHandle | undefined;
  try {
    parent = await holdDirectory(allocRoot(dataDir));
    return await subdirectory(parent, allocId);
  } catch (error) {
    throw fsError(error, "/");
  } finally {
    await parent?.close();
  }
}

/** A directory below another one, by names none of which may be a link. @throws the file system's error. */
export async function subdirectory(from: FileHandle, ...names: readonly string[]): Promise<FileHandle> {
  let here = (await holdAgain(from)).handle;
  for (const name of names) {
    try {
      const next = await hold(here, name);
      await here.close();
      here = next.handle;
      if (!next.stat.isDirectory()) throw Object.assign(new Error(`${name} is no directory`), { code: "ENOTDIR" });
    } catch (error) {
      await here.close();
      throw error;
    }
  }
  return here;
}

/**
 * Resolves a path inside an allocation, one name after the other, each from the directory that is held. Links are read
 * and resolved here and never by the kernel, so that neither a link nor a swap at any moment leads out.
 *
 * @param path from the allocation's root, with or without a leading slash.
 * @param options.reading refuses what is in `<task>/secrets` and `<task>/private`, by whatever link it is reached.
 * @throws AllocdError 404 missing, 403 leads out or is secret, 400; InvalidField.
 */
export async function find(root: FileHandle, path: string, options: { readonly reading: boolean }): Promise<Found> {
  if (path.includes("\0")) throw new InvalidField("path", path, "a path without NUL");
  if (Buffer.byteLength(path) > maxPathBytes) throw new InvalidField("path", path, `at most ${maxPathBytes} bytes`);
  let here = await holdAgain(root);
  try {
    let names: string[] = [];
    let ahead = components(path);
    let links = 0;
    for (let steps = 0; ahead.length > 0; steps++) {
      if (steps === maxSteps) throw new InvalidField("path", path, `at most ${maxSteps} names, those of links included`);
      const [name = "", ...rest] = ahead;
      if (name === "..") {
        if (names.length === 0) throw pathEscapes();
        // Not the held directory's own parent: a task may have moved that directory out of the allocation meanwhile.
        ahead = [...names.slice(0, -1), ...rest];
        names = [];
        here = await replace(here, holdAgain(root));
        continue;
      }
      const next = await hold(here.handle, name);
      if (!next.stat.isSymbolicLink()) {
        here = await replace(here, Promise.resolve(next));
        names.push(name);
        ahead = rest;
        if (options.reading) refuseHidden(names, path);
        continue;
      }
      await next.handle.close();
      if (++links > maxLinks) throw new InvalidField("path", path, `at most ${maxLinks} links`);
      const target = await linkTarget(here.handle, name);
      if (target === null) continue;
      if (target.startsWith("/")) throw pathEscapes();
      ahead = [...components(target), ...rest];
    }
    return { ...here, names };
  } catch (error) {
    await here.handle.close();
    throw fsError(error, path);
  }
}

const components = (path: string): string[] => path.split("/").filter((name) => name !== "" && name !== ".");

/** Gives the old one up only when there is a new one, so that the caller always has exactly one to close. */
async function replace(old: Held, next: Promise<Held>): Promise<Held> {
  const now = await next;
  await old.handle.close();
  return now;
}

/** Null when there is no link any more: whoever asks has to look again. */
async function linkTarget(directory: FileHandle, name: string): Promise<string | null> {
  try {
    return await readlink(`${fdPath(directory)}/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EINVAL") return null;
    throw error;
  }
}

function refuseHidden([task, directory]: readonly string[], path: string): void {
  if (task === "alloc" || directory === undefined) return;
  const kind = hidden.get(directory);
  if (kind !== undefined) throw new AllocdError("permission-denied", `Reading ${kind} file prohibited: ${path}`);
}

/** Whether a place may not be read: for who only looks at it. */
export const isHidden = ([task, directory]: readonly string[]): boolean =>
  task !== "alloc" && directory !== undefined && hidden.has(directory);
