/** A count of nanoseconds in a job's JSON; a bigint when it does not fit a double exactly. */
export type Duration = number | bigint;

/** Unix time in nanoseconds. Always a bigint: today's values exceed 2^53. */
export type UnixNano = bigint;

export const MILLISECOND = 1_000_000;
export const SECOND = 1_000_000_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
