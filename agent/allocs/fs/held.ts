import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Linux's flag for holding a place without opening it, which Node does not name. The same on x86-64 and arm64. */
const O_PATH = 0o10000000;

/** A place in the file system that stays the same one, whatever is renamed or replaced around it. */
export interface Held {
  readonly handle: FileHandle;
  readonly stat: BigIntStats;
}

/** The way to what a descriptor holds, for the calls that take a path. Costs no lookup by name, so nobody can redirect it. */
export const fdPath = (handle: FileHandle): string => `/proc/self/fd/${handle.fd}`;

/** Holds a directory of the agent's own. Links in `path` are followed: it comes from the configuration. */
export const holdDirectory = (path: string): Promise<FileHandle> => open(path, O_PATH | constants.O_DIRECTORY);

/** A second descriptor of the same directory. */
export const holdAgain = async (directory: FileHandle): Promise<Held> => withStat(await holdDirectory(fdPath(directory)));

/**
 * Holds what `name` is in a directory. A link is held itself, a FIFO is not joined, a device is not touched.
 *
 * @throws the file system's error.
 */
export async function hold(directory: FileHandle, name: string): Promise<Held> {
  if (name === "" || name === "." || name === ".." || name.includes("/"))
    throw new Error(`${JSON.stringify(name)} is no name of a directory's entry`);
  return withStat(await open(`${fdPath(directory)}/${name}`, O_PATH | constants.O_NOFOLLOW));
}

/** Opens a held regular file for reading. The caller has looked at its type, and what is held can not change it. */
export const openHeld = (file: FileHandle): Promise<FileHandle> => open(fdPath(file), constants.O_RDONLY | constants.O_NONBLOCK);

async function withStat(handle: FileHandle): Promise<Held> {
  try {
    return { handle, stat: await handle.stat({ bigint: true }) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
