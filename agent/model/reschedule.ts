import type { Allocation, RescheduleEvent, RescheduleTracker } from "./allocation.js";
import type { ReschedulePolicy } from "./job.js";
import type { UnixNano } from "./units.js";

/** What is remembered of an unlimited policy's past. Source: Nomad's maxPastRescheduleEvents. */
const MAX_PAST_EVENTS = 5;

type Failed = Pick<Allocation, "ID" | "NodeID" | "RescheduleTracker" | "TaskStates" | "ModifyTime">;

/**
 * When a failed allocation is to be replaced.
 *
 * @returns the time, or null when the policy does not allow another attempt.
 */
export function rescheduleAt(failed: Failed, policy: ReschedulePolicy | null): UnixNano | null {
  if (!policy || !mayReschedule(failed, policy)) return null;
  return failTime(failed) + nextDelay(failed, policy);
}

function mayReschedule(failed: Failed, policy: ReschedulePolicy): boolean {
  if (policy.Unlimited) return true;
  const since = failTime(failed) - BigInt(policy.Interval);
  const recent = pastEvents(failed).filter((event) => event.RescheduleTime > since);
  return recent.length < policy.Attempts;
}

/** The wait before the next attempt, in nanoseconds. Source: Nomad's Allocation.NextDelay. */
export function nextDelay(failed: Failed, policy: ReschedulePolicy): bigint {
  const first = BigInt(policy.Delay);
  const max = BigInt(policy.MaxDelay);
  const events = pastEvents(failed);
  const last = events.at(-1);
  if (!last) return first;
  const delay = grownDelay(policy.DelayFunction, first, max, events);
  if (policy.DelayFunction === "constant" || max <= 0n || delay <= max) return delay;
  // It ran for longer than the longest wait: the trouble is a new one, and so is the series.
  return failTime(failed) - last.RescheduleTime > max ? first : max;
}

function grownDelay(fn: ReschedulePolicy["DelayFunction"], first: bigint, max: bigint, events: readonly RescheduleEvent[]): bigint {
  const [before, last] = [events.at(-2)?.Delay, events.at(-1)?.Delay].map((d) => (d === undefined ? undefined : BigInt(d)));
  if (last === undefined) return first;
  if (fn === "exponential") return last * 2n;
  if (fn === "fibonacci" && before !== undefined) {
    const seriesBegan = before === max && last === first;
    return seriesBegan ? last : last + before;
  }
  return first;
}

/** The tracker of the allocation that replaces `failed`. */
export function nextTracker(failed: Failed, policy: ReschedulePolicy, now: UnixNano): RescheduleTracker {
  const past = pastEvents(failed);
  const kept =
    policy.Attempts > 0 && !policy.Unlimited
      ? past.filter((event) => now - event.RescheduleTime <= BigInt(policy.Interval))
      : past.slice(-MAX_PAST_EVENTS);
  const event: RescheduleEvent = {
    RescheduleTime: now,
    PrevAllocID: failed.ID,
    PrevNodeID: failed.NodeID,
    Delay: toNumber(nextDelay(failed, policy)),
  };
  return { Events: [...kept, event], LastReschedule: "ok" };
}

/** When its last task ended; when no task ever started, when it was reported. */
export function failTime(failed: Pick<Failed, "TaskStates" | "ModifyTime">): UnixNano {
  const ends = Object.values(failed.TaskStates ?? {}).flatMap((task) => task.FinishedAt ?? []);
  return ends.sort((a, b) => (a < b ? -1 : 1)).at(-1) ?? failed.ModifyTime;
}

const pastEvents = (failed: Failed): readonly RescheduleEvent[] => failed.RescheduleTracker?.Events ?? [];
const toNumber = (ns: bigint): number | bigint => (ns <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(ns) : ns);
