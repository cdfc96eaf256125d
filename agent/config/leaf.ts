import { z } from "zod";
import { parseGoDuration } from "../model/go-duration.js";

/*
 * The kinds of value that a setting can have. The error text of each is what is accepted, so that a refusal reads
 * "<setting>: got <given>, want <accepted>".
 */

export const text = (fallback: string, about: string) => z.string({ error: "a string" }).default(fallback).describe(about);

export const flag = (fallback: boolean, about: string) => z.boolean({ error: "true or false" }).default(fallback).describe(about);

export const oneOf = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], about: string) =>
  z
    .enum(values, { error: `one of ${values.join(", ")}` })
    .default(fallback as never)
    .describe(about);

export function whole(range: { readonly min: number; readonly max: number }, fallback: number, about: string) {
  const error = `a whole number from ${range.min} to ${range.max}`;
  return z.int({ error }).min(range.min, { error }).max(range.max, { error }).default(fallback).describe(about);
}

/** A length of time as Go writes it in the file; whole milliseconds once loaded. */
export function duration(range: { readonly min: string; readonly max: string }, fallback: string, about: string) {
  const error = `a duration from ${range.min} to ${range.max}, such as "30s" or "1m30s"`;
  const [min, max] = [milliseconds(range.min), milliseconds(range.max)];
  return z
    .string({ error })
    .refine(
      (given) => {
        const ms = milliseconds(given);
        return ms >= min && ms <= max;
      },
      { error },
    )
    .transform(milliseconds)
    .prefault(fallback)
    .describe(about);
}

export const list = (fallback: readonly string[], about: string) =>
  z
    .array(z.string({ error: "a string" }), { error: "a list of strings" })
    .default([...fallback])
    .describe(about);

/** Ids as people write them, "0,1000-1999"; pairs of first and last once loaded. */
export const idRanges = (about: string) =>
  z
    .string({ error: idRangesWanted })
    .refine((given) => parseRanges(given) !== undefined, { error: idRangesWanted })
    .transform((given) => parseRanges(given) ?? [])
    .prefault("")
    .describe(about);

const idRangesWanted = 'ids and ranges of ids, such as "0,1000-1999"';

function parseRanges(given: string): readonly (readonly [from: number, to: number])[] | undefined {
  const ranges = given
    .split(",")
    .filter((part) => given.trim() !== "" || part.trim() !== "")
    .map((part) => {
      const [, from, to = from] = /^\s*(\d{1,10})(?:-(\d{1,10}))?\s*$/.exec(part) ?? [];
      return [Number(from), Number(to)] as const;
    });
  return ranges.every(([from, to]) => from <= to) ? ranges : undefined;
}

export const map = (about: string, fallback: Readonly<Record<string, string>> = {}) =>
  z
    .record(z.string(), z.string({ error: "a string" }), { error: "an object whose values are strings" })
    .default({ ...fallback })
    .describe(about);

/** Objects by a name that the operator gives. */
export const named = <T extends z.ZodRawShape>(about: string, shape: T) =>
  z
    .record(
      z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/, { error: "a name of letters, digits, - and _" }),
      z.strictObject(shape, { error: (issue) => (issue.code === "invalid_type" ? "an object" : undefined) }),
      { error: "an object of objects by their names" },
    )
    .default({} as never)
    .describe(about);

/** An absolute path that has to be given. */
export const absolutePath = (about: string) => z.string({ error: pathWanted }).startsWith("/", { error: pathWanted }).describe(about);

const pathWanted = "an absolute path";

/** A group of settings. An absent group is one whose members are all absent. */
export const group = <T extends z.ZodRawShape>(about: string, shape: T) =>
  z
    .strictObject(shape, { error: (issue) => (issue.code === "invalid_type" ? "an object" : undefined) })
    .prefault({} as never)
    .describe(about);

/** NaN, which is in no range, for a text that is no duration. */
function milliseconds(given: string): number {
  try {
    return Math.round(parseGoDuration(given) / 1e6);
  } catch {
    return Number.NaN;
  }
}
