import { type Request, type Response, Router } from "express";
import type { AllocFiles } from "../../agent/allocs/fs/alloc-files.js";
import { AllocdError } from "../../agent/errors.js";
import type { Logger } from "../../agent/log.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { Access } from "../acl/access.js";
import { authorise } from "../acl/authorise.js";
import type { CallerOf } from "../acl/caller-of.js";
import { cutOff } from "../acl/cut-off.js";
import { Query } from "../query.js";
import { jsonFrames, plain } from "./frames.js";
import * as read from "./fs-query.js";
import { sendPieces } from "./send-pieces.js";

export interface FsDeps {
  readonly files: AllocFiles;
  readonly store: StateReader;
  readonly callerOf: CallerOf;
  readonly log: Logger;
}

/** Answers one action. Rejects only before the head is sent. */
type Answer = (id: string, query: Query, response: Response, deps: FsDeps) => Promise<void>;

interface Action {
  /** What it asks of its caller. */
  readonly access: Access;
  readonly answer: Answer;
}

/** The last path segment before the allocation's id. Source: reference behaviour §9.1. */
export const fsActions: ReadonlyMap<string, Action> = new Map<string, Action>([
  [
    "ls",
    {
      access: "alloc:read-fs",
      answer: async (id, query, response, { files }) => sendJson(response, query, await files.ls(id, query.text("path") ?? "/")),
    },
  ],
  [
    "stat",
    {
      access: "alloc:read-fs",
      answer: async (id, query, response, { files }) => sendJson(response, query, await files.stat(id, read.path(query))),
    },
  ],
  [
    "cat",
    { access: "alloc:read-fs", answer: (id, query, response, deps) => sendFile(id, read.path(query), { offset: 0 }, response, deps) },
  ],
  [
    "readat",
    {
      access: "alloc:read-fs",
      answer: (id, query, response, deps) =>
        sendFile(id, read.path(query), { offset: read.requiredOffset(query), ...read.limit(query) }, response, deps),
    },
  ],
  [
    "stream",
    {
      access: "alloc:read-fs",
      answer: async (id, query, response, { files, log }) => {
        const from = { follow: query.bool("follow", true), origin: read.origin(query), offset: read.bytes(query, "offset") ?? 0 };
        const source = await files.stream(id, read.path(query), from);
        response.setHeader("Content-Type", "application/json");
        await sendPieces(response, source, jsonFrames, log);
      },
    },
  ],
  [
    "logs",
    {
      access: ["alloc:read-logs", "alloc:read-fs"],
      answer: async (id, query, response, { files, log }) => {
        const isPlain = query.bool("plain", false);
        const source = await files.logs(id, read.logs(query));
        response.setHeader("Content-Type", isPlain ? "text/plain; charset=utf-8" : "application/json");
        await sendPieces(response, source, isPlain ? plain : jsonFrames, log);
      },
    },
  ],
]);

/**
 * An allocation's files and logs, to be mounted at /v1/client/fs. Errors before the first byte go to the next error
 * handler, as AllocdError or InvalidField.
 */
export function createFsRouter(deps: FsDeps): Router {
  const router = Router({ strict: true, caseSensitive: true });
  router.use((_request, response, next) => {
    response.set(untrusted);
    next();
  });
  router.all("/:action{/{:id}}", async (request: Request<{ action: string; id?: string }>, response) => {
    const action = fsActions.get(request.params.action);
    if (action === undefined) throw noSuchAction();
    if (request.method !== "GET") {
      response.set("Allow", "GET");
      throw new AllocdError("method-not-allowed", "Invalid method");
    }
    const caller = deps.callerOf(request, action.access);
    const query = new Query(request.url.split("?").slice(1).join("?"));
    const { id } = request.params;
    const target = { path: "/v1/client/fs", id, namespace: query.namespace };
    const check = (): void => authorise(action.access, caller.acl, target, deps.store);
    check();
    if (id === undefined) throw new AllocdError("bad-query", "must provide a valid alloc id");
    response.once(
      "close",
      caller.whileAllowed(check, () => cutOff(response)),
    );
    await action.answer(id, query, response, deps);
  });
  router.use(() => {
    throw noSuchAction();
  });
  return router;
}

/** A task wrote what is served here, so no browser may run it as a page. Source: reference behaviour §1.5. */
const untrusted = {
  "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
  "X-Content-Type-Options": "nosniff",
  "X-XSS-Protection": "1; mode=block",
};

/** The reference's text for it. */
const noSuchAction = (): AllocdError => new AllocdError("not-found", "Invalid method");

async function sendFile(
  id: string,
  path: string,
  range: { offset: number; limit?: number },
  response: Response,
  { files, log }: FsDeps,
): Promise<void> {
  const { contentType, source } = await files.read(id, path, range);
  response.setHeader("Content-Type", contentType);
  await sendPieces(response, source, plain, log);
}

function sendJson(response: Response, query: Query, body: object): void {
  response.setHeader("Content-Type", "application/json");
  response.end(query.pretty ? `${JSON.stringify(body, null, 4)}\n` : JSON.stringify(body));
}
