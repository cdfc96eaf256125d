import type { AllocHook } from "./alloc-hook.js";

/** A replacement gets its turn when the allocation before it, poststop tasks included, is gone. Source: reference behaviour §4.1. */
export const awaitPreviousHook: AllocHook = {
  name: "await_previous_allocations",
  async prerun({ alloc, isUnderWay, ended, signal }) {
    const { PreviousAllocation: previous, ID } = alloc;
    if (isUnderWay || previous === "" || previous === ID || signal.aborted) return;
    let stop = (): void => {};
    const aborted = new Promise<void>((resolve) => {
      stop = resolve;
      signal.addEventListener("abort", stop, { once: true });
    });
    await Promise.race([ended(previous), aborted]);
    signal.removeEventListener("abort", stop);
  },
};
