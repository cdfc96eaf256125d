import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { Duplex } from "node:stream";
import express, { type NextFunction, type Request, type Response } from "express";
import { AllocdError } from "../agent/errors.js";
import { BlockingQueries } from "./blocking.js";
import { withEncodedChild } from "./child-path.js";
import { cleanedUrl } from "./clean-path.js";
import { ConnectionLimit } from "./connection-limit.js";
import type { ApiDeps } from "./deps.js";
import { sendFailure } from "./failure.js";
import { Guard } from "./guard.js";
import { type ApiOptions, defaultApiOptions } from "./options.js";
import { Responder } from "./responder.js";
import { ResponseCache } from "./response-cache.js";
import { createRouter } from "./router.js";
import { allRoutes } from "./routes/index.js";
import { handleUpgrade } from "./upgrade.js";

const SWEEP_MS = 20;

export interface Api {
  /** Not listening yet. */
  readonly server: Server;
  /** Blocking queries that wait at the moment. */
  readonly blockedQueries: () => number;
  /** Ends blocked queries with what there is, takes no new connection and resolves when all are closed. */
  close(): Promise<void>;
}

/** The HTTP server. It keeps no state but encoded answers. */
export function createApi(deps: ApiDeps): Api {
  const options: ApiOptions = { ...defaultApiOptions, ...deps.options };
  const guard = new Guard(options.hostNames);
  const blocking = new BlockingQueries({ watch: deps.store.watch, clock: deps.clock, options, latest: () => deps.store.index });
  const responder = new Responder({ blocking, cache: new ResponseCache(options) });
  const app = createApp(deps, options, guard, responder);

  const connections = new ConnectionLimit(options.maxConnectionsPerAddress);
  const server = createServer({
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: options.keepAliveTimeoutMs,
  });
  server.prependListener("connection", (socket) => connections.admit(socket));
  server.on("request", (request, response) => {
    if (!connections.isRefused(request.socket)) app(request, response);
  });
  const upgraded = new Set<Duplex>();
  server.on("upgrade", (request, socket, head) => {
    // Node counts these as connections that are open, but forgets what they were.
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    if (!connections.isRefused(request.socket)) handleUpgrade({ guard, exec: deps.exec, log: deps.log }, request, socket, head);
  });
  return {
    server,
    blockedQueries: () => blocking.waiting,
    close: () => {
      blocking.close();
      return closeServer(server, upgraded, options.closeGraceMs);
    },
  };
}

function createApp(deps: ApiDeps, options: ApiOptions, guard: Guard, responder: Responder): express.Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use((request, response, next) => {
    response.setHeader("Vary", "Accept-Encoding");
    guard.check(request);
    const url = request.url;
    if (!url.startsWith("/")) throw new AllocdError("invalid", "request target: want a path that begins with a slash");
    const cleaned = cleanedUrl(url) ?? (/^\/(\?|$)/.test(url) ? `/ui/${url.slice(1)}` : undefined);
    request.url = withEncodedChild(url);
    if (cleaned === undefined) next();
    else response.writeHead(307, { Location: cleaned, "Content-Length": 0 }).end();
  });
  if (deps.ready !== undefined) {
    const { ready } = deps;
    app.use(async (_request, _response, next) => {
      await ready;
      next();
    });
  }
  if (deps.fs !== undefined) app.use("/v1/client/fs", deps.fs);
  app.use(createRouter(allRoutes({ ...deps, options }), { responder, region: options.region, maxBodyBytes: options.maxBodyBytes }));
  app.use((_request, response) => {
    response.writeHead(404, { "Content-Length": 0 }).end();
  });
  // express tells an error handler by its four parameters.
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    sendFailure(response, error, { log: deps.log, requestId: randomUUID });
  });
  return app;
}

async function closeServer(server: Server, upgraded: ReadonlySet<Duplex>, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const grace = setTimeout(() => {
    server.closeAllConnections();
    for (const socket of upgraded) socket.destroy();
  }, graceMs);
  // A connection that answers at this moment becomes idle only later, and would be kept alive.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(grace);
  clearInterval(sweep);
}
