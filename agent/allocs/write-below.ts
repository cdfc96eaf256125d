import { closeSync, constants, fchownSync, fstatSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/**
 * Writes a file below a directory that tasks may write to, with the directories in between, each owned as the first is. No
 * link is followed on the way down: a task may have put one in place of a directory of its own.
 *
 * @param path relative, without `..`.
 * @throws the file system's error.
 */
export function writeBelow(directory: string, path: string, content: string | Buffer, mode: number): void {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  const file = names.pop();
  if (file === undefined || file === ".." || names.includes("..")) throw new Error(`${JSON.stringify(path)} is no path below a directory`);
  let fd = openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const { uid, gid } = fstatSync(fd);
    const own = (made: number): void => {
      if (process.getuid?.() === 0) fchownSync(made, uid, gid);
    };
    for (const name of names) {
      const isNew = makeDir(`/proc/self/fd/${fd}/${name}`);
      const below = openSync(`/proc/self/fd/${fd}/${name}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      closeSync(fd);
      fd = below;
      if (isNew) own(fd);
    }
    const place = `/proc/self/fd/${fd}/${file}`;
    rmSync(place, { force: true });
    const out = openSync(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    try {
      writeFileSync(out, content);
      own(out);
    } finally {
      closeSync(out);
    }
  } finally {
    closeSync(fd);
  }
}

/** False when it was there. */
function makeDir(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o755 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
