import type { Clock } from "../clock.js";
import type { ServiceCheck } from "../model/job.js";
import { MILLISECOND } from "../model/units.js";
import type { Slots } from "../slots.js";
import type { Probe, ProbeResult } from "./probe.js";

export interface CheckLoopDeps {
  readonly check: ServiceCheck;
  readonly probe: Probe;
  readonly clock: Clock;
  /** Shared by all checks of the host. */
  readonly slots: Slots;
  readonly report: (result: ProbeResult) => void;
  /** Milliseconds until the first look. */
  readonly firstMs: number;
}

/** Looks at one thing again and again, and never twice at once. Ends with its signal. */
export async function loopCheck({ check, probe, clock, slots, report, firstMs }: CheckLoopDeps, signal: AbortSignal): Promise<void> {
  const intervalMs = Number(check.Interval) / MILLISECOND;
  const timeoutMs = Number(check.Timeout) / MILLISECOND;
  await clock.sleep(firstMs, signal);
  while (!signal.aborted) {
    let next = 0;
    const result = await slots.use(signal, () => {
      next = clock.monotonicMs() + intervalMs;
      return withDeadline(probe, timeoutMs, clock, signal);
    });
    if (signal.aborted || !result) return;
    report(result);
    await clock.sleep(next - clock.monotonicMs(), signal);
  }
}

async function withDeadline(probe: Probe, ms: number, clock: Clock, outer: AbortSignal): Promise<ProbeResult> {
  const over = new AbortController();
  const done = new AbortController();
  const end = (): void => over.abort("over");
  outer.addEventListener("abort", end, { once: true });
  if (outer.aborted) end();
  void clock.sleep(ms, done.signal).then(end);
  try {
    return await probe(over.signal);
  } finally {
    outer.removeEventListener("abort", end);
    done.abort("over");
  }
}
