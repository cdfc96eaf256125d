import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { kill } from "./proc.js";
import type { RunCgroup } from "./protocol.js";

/*
 * Limits stand on `<slice>/<alloc>.<task>`; the task lives in `main` below it and each exec session in `exec-<id>`, so that
 * a kill of the one spares the others. Guards live in `<slice>/launch`, without limits: with a task's few CPU
 * shares on a busy host the record of its end would come late, and its memory limit could hit the wrapper first.
 */

/** Cgroups of exec sessions that a task keeps for the next ones. */
const maxIdleSessions = 4;

/** How long the kernel is given to let go of killed processes. */
const killDeadlineMs = 15_000;

/** The cgroups of one run. */
export interface Cgroup {
  /** False for one of the operator's, which is joined and nothing else. */
  readonly isOurs: boolean;
  /** Directories that the guard joins, one a hierarchy. */
  readonly wrapperDirs: readonly string[];
  /** Directories that the task joins. */
  readonly mainDirs: readonly string[];
  /** Makes the cgroup of one exec session. @returns the directories that its command joins. */
  session(sessionId: string): readonly string[];
  /** Knows one again that an earlier shim has made. */
  adoptSession(sessionId: string, name: string): void;
  /** The name of a session's cgroup below the task's; null when it has none of its own. */
  sessionName(sessionId: string): string | null;
  removeSession(sessionId: string): Promise<void>;
  /** SIGKILL to all in `main` until none is left. @returns false when some would not die. */
  killMain(): Promise<boolean>;
  killSession(sessionId: string): Promise<boolean>;
  /** How often the kernel killed one of ours for memory. */
  oomKills(): number;
  remove(): Promise<void>;
}

export interface CgroupHierarchy {
  /** "v1", "v2", or why there is none. */
  readonly description: string;
  /** @throws the file system's error when the cgroup can not be made. */
  create(spec: RunCgroup): Cgroup;
}

type Found = CgroupHierarchy | { readonly description: string; readonly create: null };

/** Finds what this host offers; v2 first. @returns null with the reason when nothing can be limited here. */
export function findHierarchy(root = "/sys/fs/cgroup"): Found {
  const none = (why: string): Found => ({ description: `none: ${why}`, create: null });
  if (process.getuid?.() !== 0) return none("only root can make cgroups");
  // Containers commonly see their cgroups without being allowed to change them.
  if (existsSync(`${root}/cgroup.controllers`)) return isWritable(root) ? new V2Hierarchy(root) : none(`${root} can not be written`);
  const mounts = v1Mounts();
  const memory = mounts.get("memory");
  const cpu = mounts.get("cpu");
  const freezer = mounts.get("freezer");
  if (!memory || !cpu || !freezer) return none("no cgroup hierarchy with memory, cpu and freezer is mounted");
  const readOnly = [memory, cpu, freezer].find((dir) => !isWritable(dir));
  return readOnly === undefined ? new V1Hierarchy(memory, cpu, freezer) : none(`${readOnly} can not be written`);
}

/** What tasks are limited by, and `pids` for whoever sets limits from outside. */
const wantedControllers = ["memory", "cpu", "pids"] as const;
type Controller = (typeof wantedControllers)[number];

class V2Hierarchy implements CgroupHierarchy {
  readonly description: string;
  readonly #root: string;
  /** Not all of them: a kernel may lack some, and the root of a container that has processes hands none down. */
  readonly #controllers: ReadonlySet<Controller>;

  constructor(root: string) {
    this.#root = root;
    const offered = words(`${root}/cgroup.controllers`);
    this.#controllers = new Set(wantedControllers.filter((name) => offered.includes(name) && handsDown(root, name)));
    const missing = wantedControllers.filter((name) => !this.#controllers.has(name));
    this.description = missing.length === 0 ? "v2" : `v2 without ${missing.join(", ")}`;
  }

  create(spec: RunCgroup): Cgroup {
    if (spec.override !== null) return new OverrideCgroup(`${this.#root}/${spec.override.replace(/^\/+/, "")}`);
    const dir = `${this.#root}/${spec.path}`;
    this.#delegate(spec.path);
    makeDir(`${dir}/main`);
    if (this.#controllers.has("memory")) {
      if (spec.memoryMax !== null) write(dir, "memory.max", spec.memoryMax);
      if (spec.memoryLow !== null) write(dir, "memory.low", spec.memoryLow);
    }
    if (this.#controllers.has("cpu")) write(dir, "cpu.weight", cpuWeight(spec.cpuShares));
    return new RunDirs([dir], launchDirs([this.#root], spec.path), {
      // Since Linux 5.14.
      ...(existsSync(`${dir}/main/cgroup.kill`) ? { killAll: (member: string) => writeFileSync(`${member}/cgroup.kill`, "1") } : {}),
      freeze: (member, on) => writeFileSync(`${member}/cgroup.freeze`, on ? "1" : "0"),
      oomKills: () => counter(`${dir}/memory.events`),
    });
  }

  /** Lets every directory above the run's hand its controllers down. */
  #delegate(path: string): void {
    let at = this.#root;
    for (const name of path.split("/")) {
      const on = words(`${at}/cgroup.subtree_control`);
      for (const controller of this.#controllers) if (!on.includes(controller)) handDown(at, controller);
      at += `/${name}`;
      mkdirSync(at, { recursive: true });
    }
  }
}

class V1Hierarchy implements CgroupHierarchy {
  readonly description = "v1";
  readonly #memory: string;
  readonly #cpu: string;
  readonly #freezer: string;

  constructor(memory: string, cpu: string, freezer: string) {
    this.#memory = memory;
    this.#cpu = cpu;
    this.#freezer = freezer;
  }

  create(spec: RunCgroup): Cgroup {
    if (spec.override !== null) throw new Error("cgroup_v2_override needs cgroup v2, this host has v1");
    const roots = [...new Set([this.#freezer, this.#memory, this.#cpu])];
    const dirs = roots.map((root) => `${root}/${spec.path}`);
    const launch = launchDirs(roots, spec.path);
    for (const dir of dirs) makeDir(dir);
    makeDir(`${dirs[0]}/main`);
    const memory = `${this.#memory}/${spec.path}`;
    // Without this the limit would not hold for what a task makes below it, on kernels before 5.11.
    tryWrite(memory, "memory.use_hierarchy", 1);
    if (spec.memoryMax !== null) write(memory, "memory.limit_in_bytes", spec.memoryMax);
    if (spec.memoryLow !== null) tryWrite(memory, "memory.soft_limit_in_bytes", spec.memoryLow);
    write(`${this.#cpu}/${spec.path}`, "cpu.shares", Math.min(262_144, Math.max(2, spec.cpuShares)));
    return new RunDirs(dirs, launch, {
      oomKills: () => counter(`${memory}/memory.oom_control`),
      freeze: (member, on) => writeFileSync(`${member}/freezer.state`, on ? "FROZEN" : "THAWED"),
    });
  }
}

interface Kernel {
  killAll?(member: string): void;
  freeze?(member: string, on: boolean): void;
  oomKills(): number;
}

/** Makes the cgroup that all guards share. */
function launchDirs(roots: readonly string[], path: string): readonly string[] {
  const dirs = roots.map((root) => `${root}/${dirname(path)}/launch`);
  for (const dir of dirs) mkdirSync(dir, { recursive: true });
  return dirs;
}

/** Asks nothing first, as `recursive` does. */
function makeDir(dir: string): void {
  try {
    mkdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

class RunDirs implements Cgroup {
  readonly isOurs = true;
  readonly wrapperDirs: readonly string[];
  readonly #dirs: readonly string[];
  readonly #kernel: Kernel;
  /** Names of cgroups by the session that they are in use for, and those in use for none. */
  readonly #sessions = new Map<string, string>();
  readonly #idle: string[] = [];

  /** The first of `dirs` is the one that processes are killed by. */
  constructor(dirs: readonly string[], wrapperDirs: readonly string[], kernel: Kernel) {
    this.#dirs = dirs;
    this.wrapperDirs = wrapperDirs;
    this.#kernel = kernel;
  }

  get mainDirs(): readonly string[] {
    return this.#dirsOf("main");
  }

  /** The kernel takes as long for a new cgroup as for a short command: a few are used again. */
  session(sessionId: string): readonly string[] {
    let name = this.#idle.pop();
    if (name === undefined) {
      name = `exec-${sessionId}`;
      mkdirSync(`${this.#dirs[0]}/${name}`);
    }
    this.#sessions.set(sessionId, name);
    return this.#dirsOf(name);
  }

  adoptSession(sessionId: string, name: string): void {
    this.#sessions.set(sessionId, name);
  }

  sessionName(sessionId: string): string | null {
    return this.#sessions.get(sessionId) ?? null;
  }

  async removeSession(sessionId: string): Promise<void> {
    const name = this.#sessions.get(sessionId);
    if (name === undefined) return;
    this.#sessions.delete(sessionId);
    const dir = `${this.#dirs[0]}/${name}`;
    if (this.#idle.length < maxIdleSessions && subdirectories(dir).length === 0 && members(dir).length === 0) this.#idle.push(name);
    else await removeTree(dir);
  }

  killMain(): Promise<boolean> {
    return this.#kill("main");
  }

  killSession(sessionId: string): Promise<boolean> {
    return this.#kill(this.#sessions.get(sessionId) ?? `exec-${sessionId}`);
  }

  oomKills(): number {
    return this.#kernel.oomKills();
  }

  async remove(): Promise<void> {
    for (const name of subdirectories(this.#dirs[0] ?? "")) await this.#kill(name);
    for (const dir of this.#dirs) await removeTree(dir);
    await removeIfEmpty(this.wrapperDirs);
  }

  /** A member is apart only in the hierarchy that processes are killed by; in others of v1 all share the run's limits as they are. */
  #dirsOf(name: string): readonly string[] {
    const [first, ...others] = this.#dirs;
    return [`${first}/${name}`, ...others];
  }

  async #kill(name: string): Promise<boolean> {
    const [member] = this.#dirsOf(name);
    if (member === undefined) return true;
    const deadline = performance.now() + killDeadlineMs;
    for (let round = 0; members(member).length > 0; round++) {
      if (performance.now() > deadline) return false;
      if (this.#kernel.killAll) this.#kernel.killAll(member);
      else this.#killEach(member, round > 0);
      await pause(Math.min(50, 1 << Math.min(round, 5)));
    }
    return true;
  }

  /** A tree that forks faster than it is killed is frozen first. */
  #killEach(member: string, frozen: boolean): void {
    if (frozen) this.#kernel.freeze?.(member, true);
    for (const pid of members(member)) kill(pid, 9);
    if (frozen) this.#kernel.freeze?.(member, false);
  }
}

/** An operator's own cgroup: joined, never limited, killed or removed, for others may live in it. */
class OverrideCgroup implements Cgroup {
  readonly isOurs = false;
  readonly wrapperDirs: readonly string[] = [];
  readonly mainDirs: readonly string[];

  constructor(dir: string) {
    if (!existsSync(`${dir}/cgroup.procs`)) throw new Error(`cgroup_v2_override: ${dir} is no cgroup`);
    this.mainDirs = [dir];
  }

  session(): readonly string[] {
    return this.mainDirs;
  }
  adoptSession(): void {}
  sessionName(): null {
    return null;
  }
  async removeSession(): Promise<void> {}
  async killMain(): Promise<boolean> {
    return true;
  }
  async killSession(): Promise<boolean> {
    return true;
  }
  oomKills(): number {
    return 0;
  }
  async remove(): Promise<void> {}
}

/** The processes in a cgroup and in those that a task of root's may have made inside it. */
function members(dir: string): number[] {
  try {
    const own = readFileSync(`${dir}/cgroup.procs`, "utf8").split("\n").filter(Boolean).map(Number);
    return [...own, ...subdirectories(dir).flatMap((name) => members(`${dir}/${name}`))];
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** A cgroup that is removed while it is read says ENODEV. */
const isGone = (error: unknown): boolean => ["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code ?? "");

const words = (file: string): readonly string[] => readFileSync(file, "utf8").split(/\s+/);

const handDown = (dir: string, controller: Controller): void => writeFileSync(`${dir}/cgroup.subtree_control`, `+${controller}`);

function handsDown(root: string, controller: Controller): boolean {
  try {
    if (!words(`${root}/cgroup.subtree_control`).includes(controller)) handDown(root, controller);
    return true;
  } catch {
    return false;
  }
}

function isWritable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const subdirectories = (dir: string): string[] =>
  existsSync(dir)
    ? readdirSync(dir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
    : [];

/** The last to go takes it away; its own wrapper may need a moment more to its end. */
async function removeIfEmpty(dirs: readonly string[]): Promise<void> {
  for (const dir of dirs) {
    for (let attempt = 0; attempt < 3 && members(dir).length < 2; attempt++) {
      try {
        rmdirSync(dir);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY") break;
        await pause(5);
      }
    }
  }
}

async function removeTree(dir: string): Promise<void> {
  for (const name of subdirectories(dir)) await removeTree(`${dir}/${name}`);
  await removeDir(dir);
}

/** The kernel counts a killed process as a member for a moment longer, and refuses with EBUSY till then. */
async function removeDir(dir: string): Promise<void> {
  for (let wait = 1; ; wait *= 2) {
    try {
      rmdirSync(dir);
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOENT") return;
      if (code !== "EBUSY" || wait > 500) throw error;
      await pause(wait);
    }
  }
}

function v1Mounts(): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, dir, type, options] = line.split(" ");
    if (type === "cgroup" && dir && options) for (const option of options.split(",")) found.set(option, dir);
  }
  return found;
}

/** Source: the conversion of shares 2–262144 to weights 1–10000 that systemd and the OCI runtimes use. */
const cpuWeight = (shares: number): number => 1 + Math.floor(((Math.min(262_144, Math.max(2, shares)) - 2) * 9_999) / 262_142);

const counter = (file: string): number => {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
};

const write = (dir: string, file: string, value: number): void => writeFileSync(`${dir}/${file}`, String(value));

const tryWrite = (dir: string, file: string, value: number): void => {
  try {
    write(dir, file, value);
  } catch {
    // Absent on some kernels, and no limit depends on it.
  }
};
