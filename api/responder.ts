import type { IncomingMessage, ServerResponse } from "node:http";
import { prettyJson } from "../agent/model/json.js";
import type { Caller } from "./acl/caller.js";
import type { BlockingQueries } from "./blocking.js";
import type { Query } from "./query.js";
import type { ResponseCache } from "./response-cache.js";
import type { Answer, Read, Reply } from "./route.js";

const JSON_TYPE = "application/json";

/** Writes replies: waits where the caller asks to, encodes and compresses once for all who ask the same. */
export class Responder {
  readonly #blocking: BlockingQueries;
  readonly #cache: ResponseCache;

  constructor(deps: { blocking: BlockingQueries; cache: ResponseCache }) {
    this.#blocking = deps.blocking;
    this.#cache = deps.cache;
  }

  async send(request: IncomingMessage, response: ServerResponse, query: Query, reply: Reply, caller: Caller): Promise<void> {
    if (reply.kind === "read") await this.#read(request, response, query, reply, caller);
    else if (reply.kind === "stream") await reply.send(response, goneSignal(response));
    else sendAnswer(response, query, reply);
  }

  async #read(request: IncomingMessage, response: ServerResponse, query: Query, read: Read, caller: Caller): Promise<void> {
    const { minIndex, waitMs } = query;
    if (minIndex > 0) {
      const gone = goneSignal(response);
      await this.#blocking.until({
        keys: read.keys,
        coalesce: read.coalesce,
        minIndex,
        waitMs,
        index: read.index,
        gone,
        client: caller.address,
      });
      if (gone.aborted || response.writableEnded) return;
    }
    const index = read.index();
    response.setHeader("X-Nomad-Index", index);
    response.setHeader("X-Nomad-KnownLeader", "true");
    response.setHeader("X-Nomad-LastContact", "0");
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    // Who may see the same shares an answer, and nobody else does.
    const cached = this.#cache.get(`${audience(caller, read)} ${path} ${query.cacheKey}`, index, () => {
      const encoded = read.result();
      return query.pretty ? { ...encoded, json: prettyJson(encoded.json) } : encoded;
    });
    if (cached.nextToken !== undefined) response.setHeader("X-Nomad-NextToken", cached.nextToken);
    response.setHeader("Content-Type", JSON_TYPE);
    const zipped = acceptsGzip(request);
    const body = zipped ? await cached.gzip() : cached.body;
    if (zipped) response.setHeader("Content-Encoding", "gzip");
    response.setHeader("Content-Length", body.length);
    response.end(body);
  }
}

const audience = ({ acl, identity }: Caller, { isPrivate }: Read): string =>
  isPrivate && !acl.isManagement ? `${acl.id} ${identity.kind} ${identity.accessor}` : acl.id;

function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  if (response.closed) gone.abort("over");
  return gone.signal;
}

function sendAnswer(response: ServerResponse, query: Query, reply: Answer): void {
  const body = query.pretty && reply.json !== "" ? prettyJson(reply.json) : reply.json;
  if (reply.index !== undefined) response.setHeader("X-Nomad-Index", reply.index);
  // An answer without a body has no type either. Source: reference behaviour §1.4.
  const type = body === "" ? {} : { "Content-Type": JSON_TYPE };
  response.writeHead(reply.status, { ...type, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

/** `gzip;q=0` is a refusal. */
export function acceptsGzip(request: IncomingMessage): boolean {
  const accepted = request.headers["accept-encoding"];
  if (accepted === undefined) return false;
  return accepted.split(",").some((coding) => {
    const [name, ...parameters] = coding.split(";").map((part) => part.trim().toLowerCase());
    return name === "gzip" && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}
