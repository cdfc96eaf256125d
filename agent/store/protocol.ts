import type { AclRow } from "./acl-table.js";
import type { OpenFailure } from "./errors.js";
import type { StoreLimits } from "./limits.js";
import type { Repair } from "./quarantine.js";
import type { ScalingEventsRow } from "./scheduling-rows.js";
import type { HistoryQuery } from "./state-store.js";
import type { Operation } from "./statements.js";

/*
 * What passes between the agent's thread and the store's. Rows are as SQLite gives them, integers as bigints; JSON bodies
 * are texts that only the agent's thread reads and writes.
 */

export interface Calls {
  open: { readonly args: OpenArgs; readonly result: Opened };
  /** What was read makes no sense: a backup takes its place. */
  replace: { readonly args: string; readonly result: Opened };
  /** Finds out whether the disk takes writes. */
  probe: { readonly args: undefined; readonly result: undefined };
  write: { readonly args: readonly Operation[]; readonly result: undefined };
  history: { readonly args: HistoryQuery; readonly result: readonly EventRow[] };
  close: { readonly args: undefined; readonly result: undefined };
}

export interface OpenArgs {
  readonly dir: string;
  readonly limits: Pick<StoreLimits, "historyRows" | "historyRowsPerAlloc">;
  readonly idle: IdleTimes;
}

export interface IdleTimes {
  /** Milliseconds without a commit until retention begins. */
  readonly trimAfterMs: number;
  /** Milliseconds without a commit until the WAL is written back. */
  readonly checkpointAfterMs: number;
}

export interface Opened {
  readonly rows: StateRows;
  /** The index was moved ahead, because the database is older than the directory it lies in. */
  readonly restored: boolean;
  /** The last agent did not close the database. */
  readonly unclean: boolean;
  /** The database's own index, before it was moved ahead. */
  readonly knownIndex: number;
  readonly repair: Repair | null;
  readonly durability: Durability;
}

/** As SQLite says of the connection in use. */
export interface Durability {
  readonly journalMode: string;
  readonly synchronous: number;
}

export interface StateRows {
  readonly meta: readonly { readonly key: string; readonly value: bigint }[];
  readonly jobs: readonly { readonly namespace: string; readonly id: string; readonly version: bigint }[];
  readonly jobVersions: readonly { readonly namespace: string; readonly id: string; readonly body: string }[];
  readonly jobCopies: readonly { readonly digest: string; readonly body: string }[];
  readonly allocs: readonly AllocRow[];
  readonly taskStates: readonly TaskStateRow[];
  readonly taskHandles: readonly { readonly alloc_id: string; readonly task: string; readonly body: string }[];
  readonly tombstones: readonly string[];
  readonly evals: readonly EvalRow[];
  readonly deployments: readonly string[];
  readonly services: readonly string[];
  readonly node: string | undefined;
  readonly acl: readonly AclRow[];
  readonly namespaces: readonly string[];
  readonly launches: readonly { readonly namespace: string; readonly id: string; readonly launch: bigint }[];
  readonly scalingEvents: readonly ScalingEventsRow[];
  readonly schedulerConfig: string | undefined;
  readonly variables: readonly VariableRow[];
}

export interface VariableRow {
  readonly create_time: bigint;
  readonly modify_time: bigint;
  readonly body: string;
}

export interface AllocRow {
  readonly create_index: bigint;
  readonly create_time: bigint;
  readonly alloc_modify_index: bigint;
  readonly modify_index: bigint;
  readonly modify_time: bigint;
  readonly job_digest: string;
  readonly body: string;
  readonly status: string;
}

export interface TaskStateRow {
  readonly alloc_id: string;
  readonly task: string;
  readonly last_restart: bigint | null;
  readonly started_at: bigint | null;
  readonly finished_at: bigint | null;
  readonly body: string;
  /** The latest, oldest first. */
  readonly events: readonly EventRow[];
}

export interface EvalRow {
  readonly create_time: bigint;
  readonly modify_time: bigint;
  readonly body: string;
}

export interface EventRow {
  readonly seq: bigint;
  readonly alloc_id: string;
  readonly task: string;
  readonly run: bigint;
  readonly time: bigint;
  readonly type: string;
  readonly body: string;
}

export type CallName = keyof Calls;

export interface Request<Name extends CallName = CallName> {
  readonly id: number;
  readonly name: Name;
  readonly args: Calls[Name]["args"];
}

export type Reply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly failure: Failure };

/** An error on its way between threads, which keep neither class nor members of one. */
export type Failure =
  | { readonly kind: "open"; readonly reason: OpenFailure; readonly path: string; readonly message: string }
  | { readonly kind: "disk"; readonly message: string }
  | { readonly kind: "damage"; readonly message: string }
  | { readonly kind: "other"; readonly message: string; readonly stack: string | undefined };
