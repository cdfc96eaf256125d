import type { TaskRun } from "../../drivers/driver.js";
import type { SignalName } from "../model/signals.js";
import type { TaskEvent } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";

type MakeEvent = (at: UnixNano) => TaskEvent;

/** What parts that live as long as a task may do to it. Nothing of it waits, and nothing happens to a task that does not run. */
export interface TaskControl {
  /** The run that is there now. */
  readonly run: TaskRun | null;
  /** Restarts the task if it runs; the restart policy does not count it. */
  restart(event: MakeEvent): void;
  /** Sends a signal to the task if it runs. @throws DriverError */
  signal(signal: SignalName, event: MakeEvent): Promise<void>;
  /** Ends the task for good, as failed. @param event one that fails the task. */
  fail(event: MakeEvent): void;
}
