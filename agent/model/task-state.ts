import type { UnixNano } from "./units.js";

export type TaskStateName = "pending" | "running" | "dead";

/** What a read shows of one task. Immutable: the task runner makes a new one for every change. Source: nomad-behaviour §3.1. */
export interface TaskState {
  readonly State: TaskStateName;
  readonly Failed: boolean;
  readonly Restarts: number;
  /** Null is Nomad's zero time. */
  readonly LastRestart: UnixNano | null;
  readonly StartedAt: UnixNano | null;
  readonly FinishedAt: UnixNano | null;
  /** The latest 10, oldest first. */
  readonly Events: readonly TaskEvent[];
}

/** Every member is always on the wire, hence none is optional. Source: nomad-behaviour §1.9, §3.2. */
export interface TaskEvent {
  readonly Type: string;
  readonly Time: UnixNano;
  readonly DisplayMessage: string;
  readonly Details: Readonly<Record<string, string>>;
  readonly Message: string;
  readonly DriverError: string;
  readonly DriverMessage: string;
  readonly ExitCode: number;
  readonly Signal: number;
  readonly FailsTask: boolean;
  readonly FailedSibling: string;
  readonly GenericSource: string;
  readonly DiskLimit: number;
  readonly DownloadError: string;
  readonly KillError: string;
  readonly KillReason: string;
  /** Nanoseconds. */
  readonly KillTimeout: number;
  readonly RestartReason: string;
  readonly SetupError: string;
  /** Nanoseconds. */
  readonly StartDelay: number;
  readonly TaskSignal: string;
  readonly TaskSignalReason: string;
  readonly ValidationError: string;
  readonly VaultError: string;
}

export const MAX_TASK_EVENTS = 10;

/** An event of which nothing is said but its type and time. */
export const blankTaskEvent: Omit<TaskEvent, "Type" | "Time"> = {
  DisplayMessage: "",
  Details: {},
  Message: "",
  DriverError: "",
  DriverMessage: "",
  ExitCode: 0,
  Signal: 0,
  FailsTask: false,
  FailedSibling: "",
  GenericSource: "",
  DiskLimit: 0,
  DownloadError: "",
  KillError: "",
  KillReason: "",
  KillTimeout: 0,
  RestartReason: "",
  SetupError: "",
  StartDelay: 0,
  TaskSignal: "",
  TaskSignalReason: "",
  ValidationError: "",
  VaultError: "",
};
