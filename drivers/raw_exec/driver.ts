import { statSync } from "node:fs";
import type { DriverInfo } from "../../agent/model/node.js";
import {
  type AllocLookup,
  type Driver,
  DriverError,
  type DriverState,
  type ExitResult,
  type Recovery,
  type TaskRun,
  type TaskSpec,
} from "../driver.js";
import type { ShimClient } from "../shim/client.js";
import { type RunCgroup, type RunInfo, type RunSpec, ShimError } from "../shim/protocol.js";
import { findCommand } from "./command-lookup.js";
import { parseConfig, type RawExecConfig } from "./config.js";
import { RawExecRun, type RunContext } from "./run.js";
import { findUser, type HostUser } from "./users.js";

const bytesPerMiB = 1024 * 1024;

export interface RawExecOptions {
  readonly enabled: boolean;
  /** Globs of variables that no task gets. */
  readonly deniedEnvvars: readonly string[];
  readonly deniedUids: readonly NumberRange[];
  readonly deniedGids: readonly NumberRange[];
  /** The cgroup below which every task has its own. */
  readonly cgroupParent: string;
  /** Where a command without a slash is looked for. */
  readonly searchPath: string;
  /** The agent's own variables, which a task of another user must not take for its own. */
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  now(): bigint;
}

export type NumberRange = readonly [from: number, to: number];

/** Processes of the host, without isolation. All work is the shim's; this maps a task to what the shim understands. */
export class RawExecDriver implements Driver {
  readonly name = "raw_exec";
  readonly isolation = "none";
  readonly networks = null;
  readonly #shim: ShimClient;
  readonly #options: RawExecOptions;
  #listing: Promise<ReadonlyMap<string, RunInfo>> | undefined;

  constructor(shim: ShimClient, options: RawExecOptions) {
    this.#shim = shim;
    this.#options = options;
  }

  async fingerprint(): Promise<DriverInfo> {
    const UpdateTime = this.#options.now();
    if (!this.#options.enabled) return { Attributes: {}, Detected: false, Healthy: false, HealthDescription: "disabled", UpdateTime };
    return { Attributes: { "driver.raw_exec": "true" }, Detected: true, Healthy: true, HealthDescription: "Healthy", UpdateTime };
  }

  validate(config: Readonly<Record<string, unknown>>): void {
    parseConfig(config);
  }

  async start(spec: TaskSpec): Promise<TaskRun> {
    if (!this.#options.enabled) throw new DriverError("raw_exec is disabled", false);
    const config = parseConfig(spec.config);
    const user = spec.user === "" ? null : await findUser(spec.user);
    this.#checkUser(user);
    const context = this.#context(spec, config, user);
    if (!statSync(context.cwd, { throwIfNoEntry: false })?.isDirectory())
      throw new DriverError(`work_dir: ${context.cwd} is no directory`, false);
    const command = findCommand(config.command, spec.dirs, this.#options.searchPath);
    const run: RunSpec = {
      runId: spec.runId,
      argv: [command, ...config.args],
      ...context,
      oomScoreAdj: config.oomScoreAdj,
      tty: config.tty,
      logs: spec.logs.Disabled
        ? null
        : { dir: spec.dirs.logs, prefix: spec.task, maxFiles: spec.logs.MaxFiles, maxFileBytes: spec.logs.MaxFileSizeMB * bytesPerMiB },
      cgroup: this.#cgroup(spec, config),
    };
    try {
      return this.#found(await this.#shim.startRun(run), context);
    } catch (error) {
      if (error instanceof ShimError)
        throw new DriverError(`failed to launch command with executor: ${error.message}`, error.code === "ESRCH", { cause: error });
      throw error;
    }
  }

  async recover(state: DriverState | null, spec: TaskSpec): Promise<Recovery> {
    const info = (await this.#runs()).get(spec.runId);
    if (!info) {
      const restarted = state !== null && state.bootId !== this.#shim.hello?.bootId;
      return { outcome: "lost", reason: restarted ? "unknown: host restarted" : "unknown: the records of the run are gone" };
    }
    return { outcome: "found", run: this.#found(info, await this.#recoveredContext(spec, info)) };
  }

  async removeForgotten(allocs: AllocLookup): Promise<void> {
    const { runs } = await this.#shim.list();
    const forgotten = runs.filter(({ runId }) => allocs.isRemoved(runId.slice(0, runId.indexOf("."))));
    await Promise.all(forgotten.map(({ runId }) => this.#shim.releaseRun(runId)));
  }

  /** A user that was removed, or a config that can not be worked out any more, is no reason to lose a task that runs. */
  async #recoveredContext(spec: TaskSpec, { cwd, user }: RunInfo): Promise<RunContext> {
    let known: HostUser | null = null;
    let denied: readonly string[] = [];
    try {
      denied = parseConfig(spec.config).deniedEnvvars;
      if (spec.user !== "") known = await findUser(spec.user);
    } catch {
      // Commands beside the task get what is known of its environment.
    }
    return { env: environment(spec, known, this.#options.hostEnv, [...this.#options.deniedEnvvars, ...denied]), cwd, user };
  }

  /** One question for all who recover at the same time. */
  #runs(): Promise<ReadonlyMap<string, RunInfo>> {
    this.#listing ??= this.#shim
      .list()
      .then(({ runs }) => new Map(runs.map((run) => [run.runId, run])))
      .finally(() => {
        this.#listing = undefined;
      });
    return this.#listing;
  }

  #found(info: RunInfo, context: RunContext): TaskRun {
    const exited: Promise<ExitResult> = info.exit ? Promise.resolve(info.exit) : this.#shim.waitRun(info.runId);
    return new RawExecRun(info, context, this.#options.searchPath, exited, this.#shim);
  }

  #context(spec: TaskSpec, config: RawExecConfig, user: HostUser | null): RunContext {
    return {
      env: environment(spec, user, this.#options.hostEnv, [...this.#options.deniedEnvvars, ...config.deniedEnvvars]),
      cwd: config.workDir === "" ? spec.dirs.task : config.workDir,
      user: user && { uid: user.uid, gid: user.gid, known: user.known },
    };
  }

  #checkUser(user: HostUser | null): void {
    const uid = user?.uid ?? process.getuid?.() ?? 0;
    const gid = user?.gid ?? process.getgid?.() ?? 0;
    const within = (ranges: readonly NumberRange[], id: number): boolean => ranges.some(([from, to]) => id >= from && id <= to);
    if (within(this.#options.deniedUids, uid))
      throw new DriverError(`failed driver config validation: running as uid ${uid} is disallowed`, false);
    if (within(this.#options.deniedGids, gid))
      throw new DriverError(`failed driver config validation: running as gid ${gid} is disallowed`, false);
  }

  #cgroup(spec: TaskSpec, config: RawExecConfig): RunCgroup {
    const { memoryMB, memoryMaxMB, cpuShares } = spec.resources;
    const hard = memoryMaxMB === 0 ? memoryMB : memoryMaxMB;
    return {
      path: `${this.#options.cgroupParent}/${spec.allocId}.${spec.task.replace(/[%/\n]/g, encodeURIComponent)}`,
      memoryMax: hard > 0 ? hard * bytesPerMiB : null,
      memoryLow: memoryMaxMB === 0 || memoryMB === 0 ? null : memoryMB * bytesPerMiB,
      cpuShares,
      override: config.cgroupV2Override === "" ? null : config.cgroupV2Override,
    };
  }
}

/** The task's variables without the denied ones; with a user of its own its USER and HOME are that user's and not the agent's. */
function environment(
  spec: TaskSpec,
  user: HostUser | null,
  hostEnv: RawExecOptions["hostEnv"],
  denied: readonly string[],
): Record<string, string> {
  const env: Record<string, string> = { ...spec.env };
  for (const [name, value] of user ? Object.entries({ USER: user.name, LOGNAME: user.name, HOME: user.home }) : []) {
    if (env[name] === undefined || env[name] === hostEnv[name]) env[name] = value;
  }
  const patterns = denied.map(glob);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !patterns.some((pattern) => pattern.test(name))));
}

const glob = (pattern: string): RegExp =>
  new RegExp(`^${[...pattern].map((c) => (c === "*" ? ".*" : c === "?" ? "." : c.replace(/[.+^${}()|[\]\\]/g, "\\$&"))).join("")}$`);
