import express from "express";
import { AllocdError } from "../agent/errors.js";
import { readJsonObject } from "./body.js";
import { Query } from "./query.js";
import type { Responder } from "./responder.js";
import type { Method, Route } from "./route.js";

/**
 * Turns the table into an express router.
 *
 * A known path with a method that it does not have is 405, whatever route comes after it.
 */
export function createRouter(
  routes: readonly Route[],
  deps: { readonly responder: Responder; readonly region: string; readonly maxBodyBytes: number },
): express.Router {
  // Nomad's paths are exact: /v1/allocations/ is another one than /v1/allocations.
  const router = express.Router({ strict: true, caseSensitive: true });
  for (const [path, methods] of byPath(routes)) {
    router.all(path, async (request, response) => {
      const handler = methods.get(request.method as Method);
      if (handler === undefined) {
        response.setHeader("Allow", [...methods.keys()].join(", "));
        throw new AllocdError("method-not-allowed", "Invalid method");
      }
      const query = new Query(searchOf(request.url));
      query.checkCommon(deps.region);
      const params = request.params as Record<string, string | undefined>;
      const reply = await handler({ params, query, body: () => readJsonObject(request, deps.maxBodyBytes) });
      await deps.responder.send(request, response, query, reply);
    });
  }
  return router;
}

function byPath(routes: readonly Route[]): Map<string, Map<Method, Route["handler"]>> {
  const paths = new Map<string, Map<Method, Route["handler"]>>();
  for (const route of routes) {
    const methods = paths.get(route.path) ?? new Map<Method, Route["handler"]>();
    for (const method of [route.method].flat() as Method[]) methods.set(method, route.handler);
    paths.set(route.path, methods);
  }
  return paths;
}

const searchOf = (url: string): string => {
  const mark = url.indexOf("?");
  return mark < 0 ? "" : url.slice(mark + 1);
};
