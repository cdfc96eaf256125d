import { closeSync, constants, existsSync, fchmodSync, fchownSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TaskDirs } from "../../drivers/driver.js";
import type { Allocation, DesiredAllocation } from "../model/allocation.js";
import { encodeJson } from "../model/json.js";

/*
 *   <data dir>/alloc                 0711   ids can not be listed
 *     <alloc id>.json                0600   the allocation as it was given, for a store that was restored from a backup
 *     <alloc id>.state.json          0600   how far it is, for the same
 *     <alloc id>/                    0755   root's, so that no task can move what is below it
 *       alloc/                      01777   shared by the group
 *         logs/                      0755   root's: tasks read them, only the shim writes
 *         tmp/  data/               01777
 *       <task>/                      0755   the task's user's, as all below it but `private`
 *         local/  tmp/
 *         secrets/  private/         0700
 */

/** The name of the group's shared directory, which no task can have. */
const sharedName = "alloc";

/** Whose a directory is. Null: the agent's. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export const allocRoot = (dataDir: string): string => join(dataDir, "alloc");
export const hasAllocFile = (dataDir: string, allocId: string): boolean => existsSync(allocFile(dataDir, allocId));
export const allocPath = (dataDir: string, allocId: string): string => join(allocRoot(dataDir), allocId);
const allocFile = (dataDir: string, allocId: string): string => `${allocPath(dataDir, allocId)}.json`;

export function taskDirs(dataDir: string, allocId: string, task: string): TaskDirs {
  const alloc = allocPath(dataDir, allocId);
  const shared = join(alloc, sharedName);
  const own = join(alloc, task);
  return { alloc, shared, logs: join(shared, "logs"), task: own, local: join(own, "local"), secrets: join(own, "secrets") };
}

/** Makes what the group shares. Existing directories stay as they are. */
export function makeAllocDir(dataDir: string, allocId: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o755 });
  makeDir(allocRoot(dataDir), 0o711, null);
  const alloc = allocPath(dataDir, allocId);
  makeDir(alloc, 0o755, null);
  const shared = join(alloc, sharedName);
  makeDir(shared, 0o1777, null);
  makeDir(join(shared, "logs"), 0o755, null);
  makeDir(join(shared, "tmp"), 0o1777, null);
  makeDir(join(shared, "data"), 0o1777, null);
}

/**
 * Makes a task's own directories. Existing ones stay as they are.
 *
 * @throws Error when the task's name can not be that of a directory.
 */
export function makeTaskDir(dirs: TaskDirs, task: string, owner: Owner | null): void {
  if (task === sharedName || task === "." || task === ".." || /[/\0]/.test(task)) {
    throw new Error(`Task.Name: got ${JSON.stringify(task)}, which can not be the name of a directory`);
  }
  makeDir(dirs.task, 0o755, owner);
  makeDir(dirs.local, 0o755, owner);
  makeDir(join(dirs.task, "tmp"), 0o755, owner);
  makeDir(dirs.secrets, 0o700, owner);
  makeDir(join(dirs.task, "private"), 0o700, null);
}

/** Writes the allocation beside its directory, whole or not at all. It holds the job's variables: nobody else may read it. */
export function writeAllocFile(dataDir: string, alloc: Allocation): void {
  const file = allocFile(dataDir, alloc.ID);
  const draft = `${file}.new`;
  writeFileSync(draft, encodeJson({ version: 1, alloc: desiredPart(alloc) }), { mode: 0o600 });
  renameSync(draft, file);
}

/** Removes everything that was made for an allocation. */
export async function removeAllocDir(dataDir: string, allocId: string): Promise<void> {
  const path = allocPath(dataDir, allocId);
  const records = [".json", ".state.json"].flatMap((suffix) => [path + suffix, `${path}${suffix}.new`]);
  await Promise.all([path, ...records].map((p) => rm(p, { recursive: true, force: true })));
}

/**
 * Mode and owner are set on what was just made and through a descriptor that follows no link: a task may have put a
 * link in place of a directory of its own, and we are root.
 */
function makeDir(path: string, mode: number, owner: Owner | null): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw error;
  }
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    fchmodSync(fd, mode);
    if (owner) fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
}

function desiredPart(alloc: Allocation): DesiredAllocation {
  const { ClientStatus, ClientDescription, TaskStates, DeploymentStatus, NetworkStatus, ...rest } = alloc;
  const { CreateIndex, ModifyIndex, AllocModifyIndex, CreateTime, ModifyTime, ...desired } = rest;
  return desired;
}
