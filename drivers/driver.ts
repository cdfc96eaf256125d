import type { AllocatedPort, AllocNetworkStatus } from "../agent/model/allocation.js";
import type { LogConfig, NetworkResource } from "../agent/model/job.js";
import type { DriverInfo } from "../agent/model/node.js";
import type { DriverNetwork } from "../agent/model/service-address.js";
import type { UnixNano } from "../agent/model/units.js";

/**
 * The contract between a task runner and a driver. A driver starts one process (or container) per run and finds it
 * again after the agent was replaced. All methods are idempotent: the agent may die between any two of them.
 */
export interface Driver {
  readonly name: string;
  /**
   * What a task sees of the host. `none`: all of it. `image`: a file system of its own with its directories at /alloc, /local and
   * /secrets, users of its own, and none of the agent's variables.
   */
  readonly isolation: "none" | "image";
  /** Null for a driver that can not give a group a network of its own. */
  readonly networks: GroupNetworks | null;

  /** What the node says of this driver. Never throws: an unreachable engine is `Detected: false`. */
  fingerprint(): Promise<DriverInfo>;

  /**
   * Checks a task's interpolated `Config` without side effects.
   *
   * @throws TaskConfigError with Nomad's text, which becomes a Failed Validation event.
   */
  validate(config: Readonly<Record<string, unknown>>): void;

  /**
   * Starts the run, or finds that it was started already (same `runId`).
   *
   * @throws DriverError; `recoverable` decides whether the restart policy applies.
   */
  start(spec: TaskSpec, context: StartContext): Promise<TaskRun>;

  /**
   * Takes up a run that an earlier agent started.
   *
   * @param state null when the earlier agent did not come to store it, or to start the run.
   */
  recover(state: DriverState | null, spec: TaskSpec): Promise<Recovery>;

  /**
   * Removes what is left of the runs of allocations that are gone. Called once every allocation's tasks are being taken up; a
   * driver may keep the lookup and do it again from time to time.
   */
  removeForgotten(allocs: AllocLookup): Promise<void>;
}

export interface StartContext {
  /** What is told of a start that takes long, such as a pull; becomes a Driver event. */
  message(text: string, annotations?: Readonly<Record<string, string>>): void;
  /** Aborted when the start is not wanted any more: the task is to end, or the agent does. */
  readonly signal: AbortSignal;
}

export interface AllocLookup {
  /** Whether tasks of it run, may run, or have something left that its runner will remove. */
  isOpen(allocId: string): boolean;
  /** Whether it was deleted, and will not come back. */
  isRemoved(allocId: string): boolean;
}

/** Networks that the tasks of a group share, apart from the host's. All calls are idempotent. */
export interface GroupNetworks {
  /** Makes the network, or finds it. @throws DriverError. */
  create(spec: GroupNetworkSpec): Promise<AllocNetworkStatus>;
  /** Removes it, if it is there. @throws DriverError. */
  remove(allocId: string): Promise<void>;
}

export interface GroupNetworkSpec {
  readonly allocId: string;
  readonly network: NetworkResource;
  /** Published on the host. */
  readonly ports: readonly AllocatedPort[];
  /** Aborted when it is not wanted any more. */
  readonly signal: AbortSignal;
}

/** Everything that a driver needs to start one run of one task. */
export interface TaskSpec {
  readonly allocId: string;
  readonly task: string;
  /** Chosen by the task runner, unique for ever: `<alloc id>.<task>.<run>`. The same id never starts twice. */
  readonly runId: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Empty: the agent's own user. */
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly dirs: TaskDirs;
  /** Directories of the host that the task is to find elsewhere; only for a driver that mounts them. */
  readonly mounts: readonly TaskMount[];
  readonly logs: LogConfig;
  readonly resources: TaskLimits;
  readonly network: TaskNetwork;
  readonly job: TaskJob;
}

export interface TaskNetwork {
  /** Of the group. */
  readonly mode: GroupNetworkMode;
  /** The group's ports. */
  readonly ports: readonly AllocatedPort[];
  /** The task's own ports, an older form; null when it asks for no network. */
  readonly taskPorts: readonly AllocatedPort[] | null;
}

export type GroupNetworkMode = "host" | "bridge" | "none";

/** What a task belongs to. */
export interface TaskJob {
  readonly namespace: string;
  readonly id: string;
  readonly name: string;
  readonly parentId: string;
  readonly group: string;
}

export interface TaskMount {
  /** Absolute, on the host. */
  readonly source: string;
  /** Where the task finds it. */
  readonly target: string;
  readonly readOnly: boolean;
  readonly propagation: "private" | "host-to-task" | "bidirectional";
}

/** Absolute paths on the host. */
export interface TaskDirs {
  /** `<data dir>/alloc/<alloc id>` */
  readonly alloc: string;
  /** `<alloc>/alloc`, shared by the group. */
  readonly shared: string;
  /** `<alloc>/alloc/logs`, written by the shim alone. */
  readonly logs: string;
  /** `<alloc>/<task>` */
  readonly task: string;
  readonly local: string;
  readonly secrets: string;
}

export interface TaskLimits {
  /** MHz; becomes cpu.weight or cpu.shares. */
  readonly cpuShares: number;
  /** MiB. */
  readonly memoryMB: number;
  /** MiB; 0 is none, -1 no limit. */
  readonly memoryMaxMB: number;
  /** Cores that only this task may use; empty: all that nobody has to himself. */
  readonly cores: readonly number[];
}

/** A driver's own state of one run, JSON, persisted by the task runner so that `recover` finds it. */
export type DriverState = Readonly<Record<string, unknown>>;

/** A run that was started. */
export interface TaskRun {
  readonly runId: string;
  readonly state: DriverState;
  /** Where its services may be found, when the driver gives it a network of its own. */
  readonly network?: DriverNetwork;
  /** Resolves when the main process has ended, its whole tree is gone and its output is in the log files. Never rejects. */
  readonly exited: Promise<ExitResult>;
  /** What the task's own health check says; null when it has none. */
  readonly health: RunHealth | null;
  /**
   * Asks the main process to end with `signal`, waits, then kills the whole tree.
   *
   * @param signal a signal name, or "" for the driver's default.
   * @param timeoutMs how long to wait before SIGKILL; 0 kills at once.
   */
  stop(signal: string, timeoutMs: number): Promise<void>;
  /** Sends one signal to the main process. @throws DriverError when it is not running. */
  signal(signal: string): Promise<void>;
  /**
   * Starts a command beside the main process: in its directory, environment, user and limits.
   *
   * @throws DriverError when the command can not be started.
   */
  exec(spec: ExecSpec, listener: ExecListener): Promise<ExecProcess>;
  /** Calls the listener when output of the run could not be kept; there is one listener. Absent: the driver does not know. */
  onOutputLost?(listener: (loss: LostOutput) => void): void;
  /** What the run uses now. @throws DriverError when it is not running. */
  usage(): Promise<TaskUsage>;
  /** Removes what is left of an ended run: records, cgroups, containers. */
  destroy(): Promise<void>;
}

export interface RunHealth {
  readonly current: HealthState;
  /** Calls `listener` after every change until the run has ended. */
  onChange(listener: (health: HealthState) => void): void;
}

export interface HealthState {
  readonly status: "starting" | "healthy" | "unhealthy";
  readonly since: UnixNano;
  /** What the latest check wrote. */
  readonly output: string;
}

export interface LostOutput {
  readonly stream: "stdout" | "stderr";
  /** 0 while it goes on. */
  readonly bytes: number;
  readonly reason: string;
  /** Whether output is kept again. */
  readonly isOver: boolean;
}

export interface TaskUsage {
  readonly total: ResourceSample;
  /** By pid; null for a driver that can not tell its processes apart. */
  readonly processes: Readonly<Record<string, ResourceSample>> | null;
}

/** CPU is counted since the start; the caller makes percentages of two samples. */
export interface ResourceSample {
  readonly userCpuNs: number;
  readonly systemCpuNs: number;
  /** How often, and how long, it was held back by a limit; absent where that is not measured. */
  readonly throttled?: { readonly periods: number; readonly timeNs: number };
  /** Bytes, by Nomad's names: `RSS`, `Swap`, … Only what was measured is in it. */
  readonly memory: Readonly<Record<string, number>>;
}

export interface ExecSpec {
  /** Chosen by the caller, unique for ever. */
  readonly sessionId: string;
  readonly command: readonly string[];
  /** Null: plain pipes. */
  readonly tty: TerminalSize | null;
}

export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

/** 1 is stdout, 2 stderr; a terminal has only 1. */
export type OutputStream = 1 | 2;

export interface ExecListener {
  output(stream: OutputStream, bytes: Buffer): void;
  closed(stream: OutputStream): void;
  /** Last, after all output. `reason` says why the command was ended, and is empty when it ended by itself. */
  exited(exit: { readonly exitCode: number; readonly reason: string }): void;
}

/** A command that was started. Its output waits when more than a bounded part of it is not acknowledged. */
export interface ExecProcess {
  /** Resolves when the command has taken the bytes, or will never. */
  stdin(bytes: Buffer, close: boolean): Promise<void>;
  resize(size: TerminalSize): void;
  /** So many bytes of output were passed on. */
  ack(bytes: number): void;
  /** Ends the command and all that it has started. */
  end(reason: string): Promise<void>;
}

export interface ExitResult {
  readonly exitCode: number;
  /** 0 when it ended by itself. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** Why, when there is more to say than code and signal; becomes the Exit Message. */
  readonly error: string;
}

export type Recovery =
  /** Goes on, or ended meanwhile with a known result: `exited` tells. */
  | { readonly outcome: "found"; readonly run: TaskRun }
  /** Nothing is known of it, or the host was restarted: it is not running. */
  | { readonly outcome: "lost"; readonly reason: string };

/** A driver config that can not be used. `message` is Nomad's text. */
export class TaskConfigError extends Error {
  override readonly name = "TaskConfigError";
}

/** A start, stop or signal that failed. `message` becomes the text of a Driver Failure. */
export class DriverError extends Error {
  override readonly name = "DriverError";
  constructor(
    message: string,
    /** Whether trying again may help, so that the restart policy applies. */
    readonly recoverable: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
