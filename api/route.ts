import type { ServerResponse } from "node:http";
import type { Access } from "./acl/access.js";
import type { Caller } from "./acl/caller.js";
import type { Query } from "./query.js";
import type { Encoded } from "./response-cache.js";

/** One request as a handler sees it. */
export interface Call {
  /** The path's variables, decoded. */
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: Query;
  readonly caller: Caller;
  /** Whether things of a namespace may be shown, as it is now, by the capability of a route of `list:`. */
  visible(): (namespace: string) => boolean;
  /** Adds what the request turned out to be about to its line in the audit log. */
  note(about: Readonly<Record<string, string>>): void;
  /** The body as a JSON object; undefined when there is none. @throws AllocdError 400 or 413. */
  body(): Promise<Readonly<Record<string, unknown>> | undefined>;
}

/** A read of state. It may block, its encoding is shared, and it carries Nomad's query headers. */
export interface Read {
  readonly kind: "read";
  /** StateWatch keys: everything that `result` depends on. */
  readonly keys: readonly string[];
  /** True when many changes may wake it, so that they are better collected. */
  readonly coalesce: boolean;
  /** True when the result depends on who asks beyond what they may do: it is kept for nobody else. */
  readonly isPrivate?: boolean;
  /** Grows with every change of the result; equal indexes mean equal results. */
  index(): number;
  /** Encodes what is now. @throws AllocdError 404. */
  result(): Encoded;
}

/** An answer that is not kept: of a write, or of what is not state. */
export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  /** Empty: an answer without a body. */
  readonly json: string;
  /** X-Nomad-Index of a write. */
  readonly index?: number;
}

/** An answer that goes on for as long as the client stays. */
export interface Stream {
  readonly kind: "stream";
  /** Sends all of it. May reject before the head is sent. @param gone aborted when the client went. */
  readonly send: (response: ServerResponse, gone: AbortSignal) => Promise<void>;
}

export type Reply = Read | Answer | Stream;

export type Method = "GET" | "PUT" | "POST" | "DELETE";

/** A new endpoint is one of these in a table under routes/. */
export interface Route {
  readonly method: Method | readonly Method[];
  /** In express's words. The first path that matches takes the request, whatever its method. */
  readonly path: string;
  /** What it asks of its caller. */
  readonly access: Access;
  /**
   * False for what changes nothing although it is no GET, so that it is not in the audit log; `when-done` for what anybody
   * can ask for, so that refusals would fill it.
   */
  readonly changes?: false | "when-done";
  readonly handler: (call: Call) => Reply | Promise<Reply>;
}

/** A read that is woken by every change of the named tables or objects. */
export const read = (read: Omit<Read, "kind">): Read => ({ kind: "read", ...read });

export const answer = (json: string, options: { readonly status?: number; readonly index?: number } = {}): Answer => ({
  kind: "answer",
  status: options.status ?? 200,
  json,
  ...(options.index === undefined ? {} : { index: options.index }),
});
