import { MAX_TASK_EVENTS, type TaskEvent, type TaskState, type TaskStateName } from "./task-state.js";
import type { UnixNano } from "./units.js";

/** A task that has not been heard of yet. */
export const newTaskState: TaskState = {
  State: "pending",
  Failed: false,
  Restarts: 0,
  LastRestart: null,
  StartedAt: null,
  FinishedAt: null,
  Events: [],
};

/** Adds an event, and what follows from it. Source: reference behaviour §3.1. */
export function appendEvent(state: TaskState, event: TaskEvent): TaskState {
  const isRestart = event.Type === "Restarting";
  return {
    ...state,
    Failed: state.Failed || event.FailsTask,
    Restarts: isRestart ? state.Restarts + 1 : state.Restarts,
    LastRestart: isRestart ? event.Time : state.LastRestart,
    Events: [...state.Events, event].slice(-MAX_TASK_EVENTS),
  };
}

/**
 * Takes a task to another state. Of its first end only the time is kept, also when it is revived and ends again.
 * Source: reference behaviour §3.1.
 */
export function enterState(state: TaskState, next: TaskStateName, at: UnixNano): TaskState {
  if (next === state.State) return state;
  return {
    ...state,
    State: next,
    StartedAt: next === "running" ? at : state.StartedAt,
    FinishedAt: next === "dead" ? (state.FinishedAt ?? at) : state.FinishedAt,
  };
}
