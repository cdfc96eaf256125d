import type { AllocHook } from "./alloc-hook.js";

/**
 * An allocation gets its turn when the one before it, poststop tasks included, is gone, and so is what gave way to it.
 * Source: reference behaviour §4.1.
 */
export const awaitPreviousHook: AllocHook = {
  name: "await_previous_allocations",
  async prerun({ alloc, isUnderWay, ended, signal }) {
    const before = [alloc.PreviousAllocation, ...(alloc.PreemptedAllocations ?? [])].filter((id) => id !== "" && id !== alloc.ID);
    if (isUnderWay || before.length === 0 || signal.aborted) return;
    let stop = (): void => {};
    const aborted = new Promise<void>((resolve) => {
      stop = resolve;
      signal.addEventListener("abort", stop, { once: true });
    });
    await Promise.race([Promise.all(before.map(ended)), aborted]);
    signal.removeEventListener("abort", stop);
  },
};
