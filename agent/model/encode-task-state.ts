import { encodeJson } from "./json.js";
import { formatRfc3339 } from "./rfc3339.js";
import type { TaskEvent, TaskState } from "./task-state.js";
import type { UnixNano } from "./units.js";

/*
 * The hot end of every list: the text is written at once, without objects in between, and kept under the immutable object
 * that it belongs to. Source: the documentation's "List Allocations", reference behaviour §1.9.
 */

const events = new WeakMap<TaskEvent, string>();
const states = new WeakMap<TaskState, string>();
const taskStates = new WeakMap<object, string>();

/** TaskStates by task, or null. */
export function encodeTaskStates(value: Readonly<Record<string, TaskState>> | null): string {
  if (value === null) return "null";
  return cached(taskStates, value, () => {
    const members = Object.entries(value).map(([name, state]) => `${JSON.stringify(name)}:${cached(states, state, encodeTaskState)}`);
    return `{${members.join(",")}}`;
  });
}

function encodeTaskState(state: TaskState): string {
  return (
    `{"Events":[${state.Events.map((event) => cached(events, event, encodeTaskEvent)).join(",")}]` +
    `,"Failed":${state.Failed},"FinishedAt":${encodeTime(state.FinishedAt)},"LastRestart":${encodeTime(state.LastRestart)},"Paused":""` +
    `,"Restarts":${state.Restarts},"StartedAt":${encodeTime(state.StartedAt)},"State":"${state.State}","TaskHandle":null}`
  );
}

export function encodeTaskEvent(event: TaskEvent): string {
  // The one member that JSON.stringify can not write.
  const { Time, ...rest } = event;
  return `${JSON.stringify(rest).slice(0, -1)},"Time":${Time}}`;
}

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
