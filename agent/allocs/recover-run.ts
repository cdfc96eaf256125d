import type { Driver, DriverState, Recovery, TaskSpec } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";

const retriesMs = [200, 1_000, 5_000, 30_000];

/**
 * Asks the driver for a run of an earlier agent until it can answer: not knowing is no reason to take a task for dead, or
 * to start it a second time.
 *
 * @param signal aborted when the agent ends.
 * @returns null when it was aborted first.
 */
export async function recoverRun(
  driver: Driver | undefined,
  state: DriverState | null,
  spec: TaskSpec,
  { clock, log, signal }: { readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal },
): Promise<Recovery | null> {
  if (!driver) return { outcome: "lost", reason: "unknown: the task's driver is not available any more" };
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      return await driver.recover(state, spec);
    } catch (error) {
      log.warn({ err: error }, "the driver can not say whether the task runs");
      await clock.sleep(retriesMs[Math.min(tries, retriesMs.length - 1)] ?? 0, signal);
    }
  }
  return null;
}
