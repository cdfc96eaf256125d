import { closeSync, constants, existsSync, fchmodSync, fchownSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TaskDirs } from "../../drivers/driver.js";
import type { Allocation, DesiredAllocation } from "../model/allocation.js";
import { encodeJson } from "../model/json.js";
import type { AllocMounts } from "./alloc-mounts.js";
import type { Owner } from "./owner.js";
import { type Dir, ReadyDirs } from "./ready-dirs.js";

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
 *       <task>/                      0700   of a task with an image: the agent's, so that nobody on the host comes through
 *         local/  tmp/  secrets/    01777   mounted one by one: whoever the container's user is can write there
 *         private/                   0700
 */

/** The name of the group's shared directory, which no task can have. */
const sharedName = "alloc";

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

const allocTree: readonly Dir[] = [
  ["", 0o755],
  [sharedName, 0o1777],
  [join(sharedName, "logs"), 0o755],
  [join(sharedName, "tmp"), 0o1777],
  [join(sharedName, "data"), 0o1777],
];

/** What is the task's own, and the mode where any user may have to write to it: nobody else can pass the first. */
const ownByTask: readonly Dir[] = [
  ["", 0o700],
  ["local", 0o1777],
  ["tmp", 0o1777],
  ["secrets", 0o1777],
];
const taskTree: readonly Dir[] = [
  ["", 0o755],
  ["local", 0o755],
  ["tmp", 0o755],
  ["secrets", 0o700],
  ["private", 0o700],
];

/** Makes the place of all allocations. */
export function makeAllocRoot(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o755 });
  makeDir(allocRoot(dataDir), 0o711);
}

/** What can be made before there is an allocation; nothing until it is opened. */
export const readyDirs = (dataDir: string): ReadyDirs =>
  new ReadyDirs(join(allocRoot(dataDir), ".ready"), { alloc: allocTree, task: taskTree });

/** Makes what the group shares. Existing directories stay as they are. */
export function makeAllocDir(dataDir: string, allocId: string, ready: ReadyDirs): void {
  makeAllocRoot(dataDir);
  const alloc = allocPath(dataDir, allocId);
  if (ready.take("alloc", alloc)) return;
  for (const [path, mode] of allocTree) makeDir(join(alloc, path), mode);
}

/**
 * Makes a task's own directories. Existing ones stay as they are.
 *
 * @param owner `anyone`: users that only the task's image knows.
 * @throws Error when the task's name can not be that of a directory.
 */
export function makeTaskDir(dirs: TaskDirs, task: string, owner: Owner | "anyone" | null, ready: ReadyDirs): void {
  if (task === sharedName || task === "." || task === ".." || /[/\0]/.test(task)) {
    throw new Error(`Task.Name: got ${JSON.stringify(task)}, which can not be the name of a directory`);
  }
  const isNew = ready.take("task", dirs.task);
  const made = isNew ? taskTree : taskTree.filter(([path, mode]) => makeDir(join(dirs.task, path), mode));
  const names = new Set(made.map(([path]) => path));
  for (const [path, openMode] of ownByTask) {
    if (owner === null || !names.has(path)) continue;
    withDirectory(join(dirs.task, path), (fd) => (owner === "anyone" ? fchmodSync(fd, openMode) : fchownSync(fd, owner.uid, owner.gid)));
  }
}

/** Writes the allocation beside its directory, whole or not at all. It holds the job's variables: nobody else may read it. */
export function writeAllocFile(dataDir: string, alloc: Allocation): void {
  const file = allocFile(dataDir, alloc.ID);
  const draft = `${file}.new`;
  writeFileSync(draft, encodeJson({ version: 1, alloc: desiredPart(alloc) }), { mode: 0o600 });
  renameSync(draft, file);
}

/** Removes everything that was made for an allocation. @throws Error when something stays mounted there. */
export async function removeAllocDir(dataDir: string, allocId: string, mounts: AllocMounts): Promise<void> {
  const path = allocPath(dataDir, allocId);
  await mounts.removeBelow(path);
  const records = [".json", ".state.json"].flatMap((suffix) => [path + suffix, `${path}${suffix}.new`]);
  await Promise.all([path, ...records].map((p) => rm(p, { recursive: true, force: true })));
}

/** @returns false when something is there already. */
function makeDir(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  withDirectory(path, (fd) => fchmodSync(fd, mode));
  return true;
}

/**
 * Mode and owner are set on what was just made and through a descriptor that follows no link: a task may have put a
 * link in place of a directory of its own, and we are root.
 */
function withDirectory(path: string, work: (fd: number) => void): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

function desiredPart(alloc: Allocation): DesiredAllocation {
  const { ClientStatus, ClientDescription, TaskStates, DeploymentStatus, NetworkStatus, ...rest } = alloc;
  const { CreateIndex, ModifyIndex, AllocModifyIndex, CreateTime, ModifyTime, ...desired } = rest;
  return desired;
}
