import type { TaskEvent } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";

/** Why a run could not be started, with the event that it leaves in the task's history. */
export class TaskFailure extends Error {
  override readonly name = "TaskFailure";
  constructor(
    message: string,
    readonly event: (at: UnixNano) => TaskEvent,
    /** Whether trying again may help, so that the restart policy applies. */
    readonly recoverable: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
