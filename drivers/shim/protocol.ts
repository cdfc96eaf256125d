/*
 * What agent and shim say to each other. The shim outlives agents of other versions: members may be added, none may
 * change its meaning, and a new request needs a new version.
 */

export const protocolVersion = 1;

/** The program of a shim, and the node that runs it. */
export interface ShimProgram {
  readonly node: string;
  readonly main: string;
}

/** Output of a session that its client has not passed on yet; above it the command has to wait. */
export const unackedLimitBytes = 1024 * 1024;

/** Requests carry an `id`; the reply with the same `id` ends them. */
export type Request =
  | { readonly op: "hello"; readonly version: number }
  | { readonly op: "list" }
  /** Idempotent by runId: a run that was started already is answered as it is. */
  | { readonly op: "run.start"; readonly run: RunSpec }
  | { readonly op: "run.signal"; readonly runId: string; readonly signal: number }
  /** SIGKILL to the whole tree. */
  | { readonly op: "run.kill"; readonly runId: string }
  /** Forgets an ended run and removes its records and cgroups. */
  | { readonly op: "run.release"; readonly runId: string }
  | { readonly op: "session.start"; readonly session: SessionSpec }
  /** The frame's payload goes to the command's stdin; the reply comes when it was taken. */
  | { readonly op: "session.stdin"; readonly sessionId: string; readonly close: boolean }
  | { readonly op: "session.resize"; readonly sessionId: string; readonly rows: number; readonly cols: number }
  /** The client has passed on so many bytes of output. */
  | { readonly op: "session.ack"; readonly sessionId: string; readonly bytes: number }
  /** Whoever asks is the session's client from now on; after a takeover its output waits for that. */
  | { readonly op: "session.attach"; readonly sessionId: string }
  /** Starts a successor and hands everything over to it. */
  | { readonly op: "upgrade"; readonly program: ShimProgram }
  /** Idempotent. Only where `hello` says that there are mounts. */
  | { readonly op: "mount.tmpfs"; readonly mount: TmpfsMount }
  /** Takes away all that is mounted below a directory, or on it. */
  | { readonly op: "mount.remove"; readonly below: string }
  /** HUP, then TERM, then KILL of the session's tree. */
  | { readonly op: "session.end"; readonly sessionId: string; readonly reason: string };

export type RequestHeader = Request & { readonly id: number };

export type Reply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly code: ShimErrorCode; readonly message: string };

export type Notice =
  /** A successor has taken over: connect again. */
  | { readonly notice: "moved" }
  | { readonly notice: "run.exited"; readonly runId: string; readonly exit: RunExit }
  /** Output of a task could not be written to its log: first that it is so, then how much it was. */
  | { readonly notice: "run.lost"; readonly runId: string; readonly stream: "stdout" | "stderr"; readonly loss: OutputLoss }
  /** Payload: bytes of stdout (1) or stderr (2). */
  | { readonly notice: "session.output"; readonly sessionId: string; readonly stream: 1 | 2 }
  | { readonly notice: "session.closed"; readonly sessionId: string; readonly stream: 1 | 2 }
  | { readonly notice: "session.exited"; readonly sessionId: string; readonly exit: SessionExit };

export type ReplyHeader = Reply | Notice;

export type ShimErrorCode = "EVERSION" | "EMOVED" | "ENOENT" | "ESRCH" | "ESTART" | "ELIMIT" | "EINTERNAL";

/** One run of a task: the process tree, where its output goes and what limits it. */
export interface RunSpec {
  readonly runId: string;
  /** The command as an absolute path, then its arguments. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Null: the shim's own user. */
  readonly user: RunUser | null;
  readonly oomScoreAdj: number;
  readonly tty: boolean;
  /** Null: output is thrown away. */
  readonly logs: RunLogs | null;
  readonly cgroup: RunCgroup;
}

export interface TmpfsMount {
  /** An absolute path, whose last part is no link. */
  readonly path: string;
  readonly bytes: number;
  /** Whose it is. */
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export interface RunUser {
  readonly uid: number;
  readonly gid: number;
  /** Whether the uid is in the user database, so that its own groups can be found. */
  readonly known: boolean;
}

export interface RunLogs {
  /** The directory, absolute. */
  readonly dir: string;
  /** Files are `<prefix>.stdout.N` and `<prefix>.stderr.N`. */
  readonly prefix: string;
  readonly maxFiles: number;
  readonly maxFileBytes: number;
}

export interface RunCgroup {
  /** Below the root of each hierarchy: `allocd.slice/<alloc>.<task>`. */
  readonly path: string;
  /** Bytes; null is no limit. */
  readonly memoryMax: number | null;
  /** Bytes that are kept from reclaim (memory.low, soft limit); null is none. */
  readonly memoryLow: number | null;
  /** MHz. */
  readonly cpuShares: number;
  /** A cgroup v2 path of the operator's, used as it is and never limited or removed by us. */
  readonly override: string | null;
}

export interface RunExit {
  readonly exitCode: number;
  /** 0 when it ended by itself. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** More than code and signal tell: "unknown: …". Empty otherwise. */
  readonly error: string;
}

export interface OutputLoss {
  /** 0 while it goes on. */
  readonly bytes: number;
  readonly reason: string;
  /** Whether the log goes on. */
  readonly isOver: boolean;
}

export interface RunInfo {
  readonly runId: string;
  /** 0 while it is not known yet. */
  readonly pid: number;
  readonly exit: RunExit | null;
  /** The file that lists the task's processes; empty where there are no cgroups, and then nothing is limited. */
  readonly members: string;
  /** As it was started with. */
  readonly cwd: string;
  readonly user: RunUser | null;
}

/** A command beside a task: in its directory, environment, user and cgroup. */
export interface SessionSpec {
  readonly sessionId: string;
  readonly runId: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: RunUser | null;
  readonly tty: { readonly rows: number; readonly cols: number } | null;
}

export interface SessionExit {
  readonly exitCode: number;
  readonly signal: number;
  /** Why it was ended by us; empty when the command ended by itself. */
  readonly reason: string;
}

export interface SessionInfo {
  readonly sessionId: string;
  readonly runId: string;
  readonly pid: number;
}

export interface ShimList {
  readonly runs: readonly RunInfo[];
  readonly sessions: readonly SessionInfo[];
}

export interface ShimHello {
  readonly version: number;
  readonly pid: number;
  /** Unix milliseconds of its build; absent in the first versions. */
  readonly builtAt?: number;
  readonly bootId: string;
  /** How limits are applied on this host: "v1", "v2" or why there are none. */
  readonly cgroups: string;
  /** Whether it can mount. Absent: a shim of an earlier version, which can not. */
  readonly mounts?: boolean;
}

/** A request that the shim refused. */
export class ShimError extends Error {
  override readonly name = "ShimError";
  constructor(
    readonly code: ShimErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
