import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import { privateFile } from "./private-file.js";

/*
 * A thread that makes one copy of the database, checks it and ends. It reads by a connection of its own, in one read
 * transaction: neither it nor the check, nor the flush of a large file, ever holds up a commit.
 */

export interface BackupOrder {
  readonly from: string;
  /** The copy has this name only once it was found to be good. */
  readonly to: string;
}

/** More pages than any database has: all in one transaction. */
const allPages = 0x7fffffff;

async function copy({ from, to }: BackupOrder): Promise<void> {
  requireRoom(from, dirname(to));
  const draft = `${to}.new`;
  try {
    privateFile(draft);
    const source = new Database(from, { readonly: true, fileMustExist: true });
    try {
      await source.backup(draft, { progress: () => allPages });
    } finally {
      source.close();
    }
    check(draft);
    renameSync(draft, to);
    flush(dirname(to));
  } catch (error) {
    for (const path of [draft, `${draft}-wal`, `${draft}-shm`, `${draft}-journal`]) rmSync(path, { force: true });
    throw error;
  }
}

/** A backup must not be what fills the disk. */
function requireRoom(from: string, dir: string): void {
  const { bavail, bsize } = statfsSync(dir);
  const size = statSync(from).size;
  if (bavail * bsize < 2 * size) throw new Error(`${dir}: ${bavail * bsize} bytes are free, a copy of ${size} bytes wants twice as much`);
}

function check(path: string): void {
  const copied = new Database(path, { fileMustExist: true });
  try {
    // A copy has no WAL beside it: whoever puts it back copies one file.
    copied.pragma("journal_mode = DELETE");
    const found = copied.pragma("quick_check(1)", { simple: true });
    if (found !== "ok") throw new Error(`the copy is damaged, and so the database may be: ${String(found)}`);
  } finally {
    copied.close();
  }
  chmodSync(path, 0o600);
  flush(path);
}

function flush(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

try {
  await copy(workerData as BackupOrder);
  parentPort?.postMessage(null);
} catch (error) {
  parentPort?.postMessage(error instanceof Error ? error.message : String(error));
}
