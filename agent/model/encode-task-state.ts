import { encodeJson } from "./json.js";
import { formatRfc3339 } from "./rfc3339.js";
import type { TaskEvent, TaskState } from "./task-state.js";
import type { UnixNano } from "./units.js";

/*
 * The hot end of every list: the text is written at once, without objects in between, and kept under the immutable object
 * that it belongs to. Source: the documentation's "List Allocations", reference behaviour §1.9.
 */

const events = new WeakMap<TaskEvent, string>();

/** TaskStates by task, or null. Not kept: the texts of the events are most of it, and those are. */
export function encodeTaskStates(value: Readonly<Record<string, TaskState>> | null): string {
  if (value === null) return "null";
  const members = Object.entries(value).map(([name, state]) => `${JSON.stringify(name)}:${encodeTaskState(state)}`);
  return `{${members.join(",")}}`;
}

const encodeTaskState = (state: TaskState): string =>
  `{"Events":[${state.Events.map((event) => cached(events, event, encodeTaskEvent)).join(",")}]` +
  `,"Failed":${state.Failed},"FinishedAt":${encodeTime(state.FinishedAt)},"LastRestart":${encodeTime(state.LastRestart)},"Paused":""` +
  `,"Restarts":${state.Restarts},"StartedAt":${encodeTime(state.StartedAt)},"State":"${state.State}","TaskHandle":null}`;

export const encodeTaskEvent = (event: TaskEvent): string =>
  flat([
    `{"Details":${encodeDetails(event.Details)},"DiskLimit":${event.DiskLimit},"DisplayMessage":${encodeText(event.DisplayMessage)}`,
    `,"DownloadError":${encodeText(event.DownloadError)},"DriverError":${encodeText(event.DriverError)}`,
    `,"DriverMessage":${encodeText(event.DriverMessage)},"ExitCode":${event.ExitCode},"FailedSibling":${encodeText(event.FailedSibling)}`,
    `,"FailsTask":${event.FailsTask},"GenericSource":${encodeText(event.GenericSource)},"KillError":${encodeText(event.KillError)}`,
    `,"KillReason":${encodeText(event.KillReason)},"KillTimeout":${event.KillTimeout},"Message":${encodeText(event.Message)}`,
    `,"RestartReason":${encodeText(event.RestartReason)},"SetupError":${encodeText(event.SetupError)},"Signal":${event.Signal}`,
    `,"StartDelay":${event.StartDelay},"TaskSignal":${encodeText(event.TaskSignal)}`,
    `,"TaskSignalReason":${encodeText(event.TaskSignalReason)},"Time":${event.Time},"Type":${encodeText(event.Type)}`,
    `,"ValidationError":${encodeText(event.ValidationError)},"VaultError":${encodeText(event.VaultError)}}`,
  ]);

const encodeDetails = (details: TaskEvent["Details"]): string => {
  for (const _ in details) return JSON.stringify(details);
  return "{}";
};

/** Most texts of an event are empty. */
export const encodeText = (text: string): string => (text === "" ? '""' : JSON.stringify(text));

/** A text that was put together with `+` is a tree of its parts, which every later join would walk again; this one is not. */
export const flat = (parts: readonly string[]): string => parts.join("");

/** A zero time is null. */
export const encodeTime = (time: UnixNano | null): string => (time === null ? "null" : `"${formatRfc3339(time)}"`);

/** The text of an immutable object, made once. */
export function cached<T extends object>(texts: WeakMap<T, string>, value: T, encode: (value: T) => string): string {
  let text = texts.get(value);
  if (text === undefined) {
    text = encode(value);
    texts.set(value, text);
  }
  return text;
}

const anything = new WeakMap<object, string>();

/** JSON of an immutable object that many others share, such as a job; null stays null. */
export const encodeShared = (value: object | null): string => (value === null ? "null" : cached(anything, value, encodeJson));
