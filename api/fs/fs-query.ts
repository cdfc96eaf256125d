import type { LogsQuery } from "../../agent/allocs/fs/alloc-files.js";
import type { LogType } from "../../agent/allocs/fs/log-files.js";
import type { Origin } from "../../agent/allocs/fs/piece.js";
import { AllocdError } from "../../agent/errors.js";
import { InvalidField } from "../../agent/model/invalid-field.js";
import type { Query } from "../query.js";

/** The parameters of /v1/client/fs. Every mistake is a 400 that names its parameter. Source: reference behaviour §9.1. */
export function path(query: Query): string {
  return query.text("path") ?? missing("must provide a file name");
}

export function origin(query: Query): Origin {
  const given = query.text("origin") ?? "start";
  if (given !== "start" && given !== "end") throw new AllocdError("bad-query", `origin must be start or end: got ${JSON.stringify(given)}`);
  return given;
}

/** Bytes; undefined when not given. */
export function bytes(query: Query, name: string): number | undefined {
  const given = query.text(name);
  if (given === undefined) return undefined;
  const count = /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
  if (!Number.isSafeInteger(count)) throw new InvalidField(name, given, "a whole number of bytes, 0 or more");
  return count;
}

/** @throws InvalidField when there is none: without it a read would silently start somewhere. */
export function requiredOffset(query: Query): number {
  const offset = bytes(query, "offset");
  if (offset === undefined) throw new InvalidField("offset", undefined, "a whole number of bytes, 0 or more");
  return offset;
}

/** A limit of 0 is none. */
export function limit(query: Query): { readonly limit?: number } {
  const count = bytes(query, "limit") ?? 0;
  return count === 0 ? {} : { limit: count };
}

export function logs(query: Query): LogsQuery {
  return {
    task: query.text("task") ?? missing("must provide task name"),
    type: logType(query),
    follow: query.text("follow") === "until-dead" ? "until-dead" : query.bool("follow", false),
    origin: origin(query),
    offset: bytes(query, "offset") ?? 0,
  };
}

function logType(query: Query): LogType {
  const given = query.text("type");
  if (given === "stdout" || given === "stderr") return given;
  return missing(`must provide log type (stdout/stderr)${given === undefined ? "" : `: got ${JSON.stringify(given)}`}`);
}

function missing(text: string): never {
  throw new AllocdError("bad-query", text);
}
