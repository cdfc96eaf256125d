import type { TaskRun } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Task } from "../model/job.js";
import { parseSignal } from "../model/signals.js";
import { messageOf } from "./task-failure.js";

/** Source: reference behaviour §4.7. */
const retriesMs = [5_000, 20_000, 80_000, 120_000, 120_000];

/** Nanoseconds between the kill signal and SIGKILL. */
export const killTimeout = ({ KillTimeout }: Task, maxNs: number): number => Math.min(Number(KillTimeout), maxNs);

export interface StopContext {
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborted when the run is over. */
  readonly signal: AbortSignal;
  /** The longest a task may ask for between the kill signal and SIGKILL, in nanoseconds. */
  readonly maxNs: number;
}

/**
 * Stops a run as its task wants it, and tries again when the driver can not.
 *
 * @returns "" when the driver has done it, else its last words: the run may still be there.
 */
export async function stopRun(run: TaskRun, task: Task, { clock, log, signal, maxNs }: StopContext): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      await run.stop(parseSignal(task.KillSignal) ?? "", killTimeout(task, maxNs) / 1e6);
      return "";
    } catch (error) {
      log.warn({ err: error }, "the task could not be stopped");
      const wait = retriesMs[tries];
      if (wait === undefined) return messageOf(error);
      await clock.sleep(wait, signal);
      if (signal.aborted) return "";
    }
  }
}
