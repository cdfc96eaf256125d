import type { ClientStatus } from "./allocation.js";
import type { TaskState } from "./task-state.js";

export interface ClientSummary {
  readonly ClientStatus: ClientStatus;
  readonly ClientDescription: string;
}

/** What the states of its tasks make of an allocation. Source: reference behaviour §4.10. */
export function clientSummary(states: Iterable<TaskState>): ClientSummary {
  const all = [...states];
  if (all.some((s) => s.State === "dead" && s.Failed)) return { ClientStatus: "failed", ClientDescription: "Failed tasks" };
  if (all.some((s) => s.State === "running")) return { ClientStatus: "running", ClientDescription: "Tasks are running" };
  if (all.some((s) => s.State === "pending")) return { ClientStatus: "pending", ClientDescription: "No tasks have started" };
  return { ClientStatus: "complete", ClientDescription: "All tasks have completed" };
}

export const maxRunDurationText = "allocation exceeded max_run_duration";
