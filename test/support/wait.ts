import { setTimeout as sleep } from "node:timers/promises";

/** How often a condition that nobody announces is looked at. */
const pollMs = 20;

/**
 * The first truthy result of `probe`. For conditions of the host that send no notification (a process is gone, a file is
 * there); changes of allocations are waited for with `TestAgent.until`.
 *
 * @param what names the condition in the error.
 * @throws Error after `ms`, with what the probe threw last, if it did.
 */
export async function waitFor<T>(what: string, probe: () => T | Promise<T>, ms = 10_000): Promise<Exclude<T, false | undefined | null>> {
  const end = performance.now() + ms;
  let reason = "";
  for (;;) {
    try {
      const value = await probe();
      if (value) return value as Exclude<T, false | undefined | null>;
      reason = "";
    } catch (error) {
      reason = `: ${(error as Error).message}`;
    }
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}${reason}`);
    await sleep(pollMs);
  }
}
