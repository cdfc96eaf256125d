import { formatGoDuration } from "./go-duration.js";
import type { GroupVerdict } from "./lifecycle.js";
import { restartReason } from "./restart-policy.js";
import { blankTaskEvent, type TaskEvent } from "./task-state.js";
import type { Duration, UnixNano } from "./units.js";

/*
 * One function an event type, with its text, its Details and the older members of the same meaning ("twins").
 * Source: reference behaviour §3.2.
 */

type Members = Partial<Omit<TaskEvent, "Type" | "Time" | "DisplayMessage" | "Details">>;

function event(
  Time: UnixNano,
  Type: string,
  DisplayMessage: string,
  Details: Readonly<Record<string, string>> = {},
  members: Members = {},
): TaskEvent {
  return { ...blankTaskEvent, ...members, Type, Time, DisplayMessage, Details };
}

export const received = (at: UnixNano): TaskEvent => event(at, "Received", "Task received by client");

export const taskSetup = (at: UnixNano, message: string): TaskEvent => event(at, "Task Setup", message, { message }, { Message: message });

export const downloadingArtifacts = (at: UnixNano): TaskEvent => event(at, "Downloading Artifacts", "Client is downloading artifacts");

export const failedArtifactDownload = (at: UnixNano, error: string): TaskEvent =>
  event(at, "Failed Artifact Download", error || "Failed to download artifacts", { download_error: error }, { DownloadError: error });

export const failedValidation = (at: UnixNano, error: string): TaskEvent =>
  event(at, "Failed Validation", error || "Validation of task failed", { validation_error: error }, { ValidationError: error });

/** A hook of the allocation failed before any task was started. */
export const setupFailure = (at: UnixNano, message: string): TaskEvent =>
  event(
    at,
    "Setup Failure",
    message,
    { kill_reason: "Failed Restoring Task", fails_task: "true" },
    { KillReason: "Failed Restoring Task", FailsTask: true },
  );

export const driverFailure = (at: UnixNano, error: string): TaskEvent =>
  event(at, "Driver Failure", error || "Failed to start task", { driver_error: error }, { DriverError: error });

export const started = (at: UnixNano): TaskEvent => event(at, "Started", "Task started by client");

/** What a driver says of its progress, such as a pull. */
export const driverMessage = (at: UnixNano, message: string, annotations: Readonly<Record<string, string>> = {}): TaskEvent =>
  event(at, "Driver", message, annotations, { DriverMessage: message });

export interface LostOutput {
  readonly stream: string;
  readonly bytes: number;
  readonly reason: string;
  readonly isOver: boolean;
}

/** The reference has no such event: it loses output without a word. */
export function outputLost(at: UnixNano, { stream, bytes, reason, isOver }: LostOutput): TaskEvent {
  const text = isOver ? `${bytes} bytes of ${stream} were lost: ${reason}` : `Output of ${stream} is lost: ${reason}`;
  return driverMessage(at, text, { stream, lost_bytes: String(bytes) });
}

export interface Termination {
  readonly exitCode: number;
  /** 0 when it ended by itself. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** Empty when code and signal tell everything. */
  readonly error: string;
}

export function terminated(at: UnixNano, { exitCode, signal, oomKilled, error }: Termination): TaskEvent {
  const text = [`Exit Code: ${exitCode}`];
  if (signal !== 0) text.push(`Signal: ${signal}`);
  if (error !== "") text.push(`Exit Message: ${JSON.stringify(error)}`);
  const details = { exit_code: String(exitCode), signal: String(signal), oom_killed: String(oomKilled) };
  return event(at, "Terminated", text.join(", "), error === "" ? details : { ...details, exit_message: error }, {
    ExitCode: exitCode,
    Signal: signal,
    Message: error,
  });
}

/** @param delay nanoseconds until the restart. */
export function restarting(at: UnixNano, delay: number, reason: string): TaskEvent {
  const text = `Task restarting in ${formatGoDuration(delay)}`;
  const isOrdinary = reason === "" || reason === restartReason.withinPolicy;
  return event(
    at,
    "Restarting",
    isOrdinary ? text : `${reason} - ${text}`,
    { start_delay: String(delay), restart_reason: reason },
    { StartDelay: delay, RestartReason: reason },
  );
}

export const notRestarting = (at: UnixNano, reason: string): TaskEvent =>
  event(
    at,
    "Not Restarting",
    reason || "Task exceeded restart policy",
    { restart_reason: reason, fails_task: "true" },
    { RestartReason: reason, FailsTask: true },
  );

export const restartSignaled = (at: UnixNano, reason: string): TaskEvent =>
  event(at, "Restart Signaled", reason || "Task signaled to restart", { restart_reason: reason }, { RestartReason: reason });

/** A signal that a user asked for. @param given the signal as the user wrote it. */
export const signaling = (at: UnixNano, given: string): TaskEvent => event(at, "Signaling", "Task being sent a signal", { signal: given });

/**
 * @param timeout nanoseconds between the kill signal and SIGKILL.
 * @param reason why the task is killed, or "" when it was simply stopped.
 */
export function killing(at: UnixNano, timeout: number, reason: string): TaskEvent {
  const duration = formatGoDuration(timeout);
  const plain = timeout === 0 ? "Sent interrupt" : `Sent interrupt. Waiting ${duration} before force killing`;
  const details = { kill_timeout: duration };
  return event(at, "Killing", reason || plain, reason === "" ? details : { ...details, kill_reason: reason }, {
    KillTimeout: timeout,
    KillReason: reason,
  });
}

/** @param error why the task may still be there, or "". */
export const killed = (at: UnixNano, error = ""): TaskEvent =>
  event(at, "Killed", error || "Task successfully killed", error === "" ? {} : { kill_error: error }, { KillError: error });

export const siblingFailed = (at: UnixNano, sibling: string): TaskEvent =>
  event(at, "Sibling Task Failed", `Task's sibling "${sibling}" failed`, { failed_sibling: sibling }, { FailedSibling: sibling });

export const leaderDead = (at: UnixNano): TaskEvent => event(at, "Leader Task Dead", "Leader Task in Group dead");

export const mainTasksDead = (at: UnixNano): TaskEvent => event(at, "Main Tasks Dead", "Main tasks in the group died");

/** Why a task has to go because of others of its group. */
export function groupVerdict(at: UnixNano, verdict: GroupVerdict): TaskEvent {
  switch (verdict.kind) {
    case "sibling-failed":
      return siblingFailed(at, verdict.sibling);
    case "leader-dead":
      return leaderDead(at);
    case "main-tasks-dead":
      return mainTasksDead(at);
  }
}

export const waitingForShutdownDelay = (at: UnixNano, delay: Duration): TaskEvent =>
  event(at, "Waiting for shutdown delay", `Waiting for shutdown_delay of ${formatGoDuration(delay)} before killing the task.`);

export const skippingShutdownDelay = (at: UnixNano, delay: Duration): TaskEvent =>
  event(at, "Skipping shutdown delay", `Skipping shutdown_delay of ${formatGoDuration(delay)} before killing the task.`);

/** @param hook the hook's name. */
export function hookFailed(at: UnixNano, hook: string, error: string): TaskEvent {
  const message = `${hook}: ${error}`;
  return event(at, "Task hook failed", message, { message }, { Message: message });
}

/** How many names of what a template waits for are told. */
const maxMissing = 3;

/** What the templates of a task wait for. */
export function templateMissing(at: UnixNano, names: readonly string[]): TaskEvent {
  const sorted = [...names].sort();
  const more = sorted.length > maxMissing ? [`and ${sorted.length - maxMissing} more`] : [];
  return event(at, "Template", `Missing: ${[...sorted.slice(0, maxMissing), ...more].join(", ")}`);
}

export const templateRestart = (at: UnixNano): TaskEvent =>
  event(at, "Restart Signaled", "Template with change_mode restart re-rendered", { restart_reason: "" });

/** @param signal as the host's C library describes it. */
export const templateSignal = (at: UnixNano, signal: string): TaskEvent =>
  event(at, "Signaling", "Template re-rendered", { task_signal: signal }, { TaskSignal: signal });

/** A template fails its task. */
export const templateFailed = (at: UnixNano, message: string): TaskEvent =>
  event(at, "Killing", message, { fails_task: "true" }, { FailsTask: true });

export const hookMessage = (at: UnixNano, message: string): TaskEvent =>
  event(at, "Task hook message", message, { message }, { Message: message });

export const allocUnhealthy = (at: UnixNano, message: string): TaskEvent =>
  event(at, "Alloc Unhealthy", message, { message }, { Message: message });

/**
 * The allocation's directory has outgrown its disk, which is told and not enforced.
 *
 * @param limit bytes.
 * @param used bytes.
 */
export function diskExceeded(at: UnixNano, limit: number, used: number): TaskEvent {
  const message = `Disk usage of ${toMiB(used)} MiB exceeds the ephemeral disk of ${toMiB(limit)} MiB`;
  return event(at, "Disk Resources Exceeded", message, { message, disk_limit: String(limit) }, { Message: message, DiskLimit: limit });
}

const toMiB = (bytes: number): number => Math.ceil(bytes / (1024 * 1024));
