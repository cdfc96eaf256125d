import type { LogConfig } from "../agent/model/job.js";
import type { DriverInfo } from "../agent/model/node.js";

/**
 * The contract between a task runner and a driver. A driver starts one process (or container) per run and finds it
 * again after the agent was replaced. All methods are idempotent: the agent may die between any two of them.
 */
export interface Driver {
  readonly name: string;

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
  start(spec: TaskSpec): Promise<TaskRun>;

  /**
   * Takes up a run that an earlier agent started.
   *
   * @param state null when the earlier agent did not come to store it, or to start the run.
   */
  recover(state: DriverState | null, spec: TaskSpec): Promise<Recovery>;

  /** Removes what is left of the runs of allocations that are gone. */
  removeForgotten(isForgotten: (allocId: string) => boolean): Promise<void>;
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
  readonly logs: LogConfig;
  readonly resources: TaskLimits;
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
}

/** A driver's own state of one run, JSON, persisted by the task runner so that `recover` finds it. */
export type DriverState = Readonly<Record<string, unknown>>;

/** A run that was started. */
export interface TaskRun {
  readonly runId: string;
  readonly state: DriverState;
  /** Resolves when the main process has ended, its whole tree is gone and its output is in the log files. Never rejects. */
  readonly exited: Promise<ExitResult>;
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
