import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { Duplex } from "node:stream";
import express, { type NextFunction, type Request, type Response } from "express";
import { AllocdError } from "../agent/errors.js";
import { OpenAuthority } from "./acl/authority.js";
import { type CallerOf, callersOf } from "./acl/caller-of.js";
import { ChangeAudit } from "./audit.js";
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
import { secureHeaders } from "./secure-headers.js";
import { handleUpgrade } from "./upgrade.js";

const SWEEP_MS = 20;
/** How often connections are looked through for ones that take too long to say what they want. */
const SLOW_CHECK_MS = 5_000;

export interface Api {
  /** Not listening yet. */
  readonly server: Server;
  /** One more server of the same API, for a local socket: plain HTTP, without the gate of `deps`. */
  localServer(): Server;
  /** Blocking queries that wait at the moment. */
  readonly blockedQueries: () => number;
  /** Ends blocked queries with what there is, takes no new connection and resolves when all are closed. */
  close(): Promise<void>;
}

/** The HTTP server. It keeps no state but encoded answers. */
export function createApi(deps: ApiDeps): Api {
  const options: ApiOptions = { ...defaultApiOptions, ...deps.options };
  const guard = new Guard(options.hostNames, options.allowedOrigins);
  const blocking = new BlockingQueries({ watch: deps.store.watch, clock: deps.clock, options, latest: () => deps.store.index });
  const responder = new Responder({ blocking, cache: new ResponseCache(options) });
  const callerOf = callersOf(deps.authority ?? new OpenAuthority());
  const app = createApp(deps, { options, guard, responder, callerOf });
  const connections = new ConnectionLimit(options.maxConnectionsPerAddress);
  const upgraded = new Set<Duplex>();
  const serverOptions = {
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: options.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(SLOW_CHECK_MS, options.headersTimeoutMs),
  };

  const serve = (server: Server, gate: ApiDeps["gate"]): Server => {
    server.prependListener("connection", (socket) => {
      connections.admit(socket);
      // Begun now, so that it is known when the request has come.
      gate?.admit(socket).catch(() => {});
    });
    server.on("request", (request, response) => {
      if (connections.isRefused(request.socket)) return;
      if (gate === undefined) return app(request, response);
      const refused = (error: unknown): void => sendFailure(response, error, { log: deps.log, requestId: randomUUID });
      gate.admit(request.socket).then(() => app(request, response), refused);
    });
    server.on("upgrade", (request, socket, head) => {
      // Node counts these as connections that are open, but forgets what they were.
      upgraded.add(socket);
      socket.once("close", () => upgraded.delete(socket));
      if (connections.isRefused(request.socket)) return;
      const admitted = gate?.admit(request.socket) ?? Promise.resolve();
      void handleUpgrade({ guard, exec: deps.exec, log: deps.log, admitted }, request, socket, head);
    });
    return server;
  };

  const servers = [serve((deps.makeServer ?? createServer)(serverOptions), deps.gate)];
  return {
    server: servers[0] as Server,
    localServer: () => {
      const local = serve(createServer(serverOptions), undefined);
      servers.push(local);
      return local;
    },
    blockedQueries: () => blocking.waiting,
    close: async () => {
      blocking.close();
      await Promise.all(servers.map((server) => closeServer(server, upgraded, options.closeGraceMs)));
    },
  };
}

interface AppParts {
  readonly options: ApiOptions;
  readonly guard: Guard;
  readonly responder: Responder;
  readonly callerOf: CallerOf;
}

function createApp(deps: ApiDeps, { options, guard, responder, callerOf }: AppParts): express.Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use((request, response, next) => {
    secureHeaders(request, response);
    if (guard.answer(request, response)) return;
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
  if (deps.fs !== undefined) app.use("/v1/client/fs", deps.fs(callerOf));
  const audit = new ChangeAudit(deps.audit, deps.clock);
  app.use(
    createRouter(allRoutes({ ...deps, options }), {
      responder,
      region: options.region,
      maxBodyBytes: options.maxBodyBytes,
      store: deps.store,
      callerOf,
      audit,
    }),
  );
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
