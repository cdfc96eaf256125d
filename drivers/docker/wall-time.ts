import type { Time } from "./time.js";

/** The agent's clock, with the time of day. */
export interface WallTime extends Time {
  /** Unix nanoseconds. */
  now(): bigint;
}
