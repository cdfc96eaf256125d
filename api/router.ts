import express from "express";
import { AllocdError } from "../agent/errors.js";
import type { StateReader } from "../agent/store/state-store.js";
import { authorise, visibility } from "./acl/authorise.js";
import type { CallerOf } from "./acl/caller-of.js";
import { cutOff } from "./acl/cut-off.js";
import type { ChangeAudit } from "./audit.js";
import { readJsonObject } from "./body.js";
import { Query } from "./query.js";
import type { Responder } from "./responder.js";
import type { Call, Method, Reply, Route } from "./route.js";

interface RouterDeps {
  readonly responder: Responder;
  readonly region: string;
  readonly maxBodyBytes: number;
  readonly store: StateReader;
  readonly callerOf: CallerOf;
  readonly audit: ChangeAudit;
}

/**
 * Turns the table into an express router.
 *
 * A known path with a method that it does not have is 405, whatever route comes after it.
 */
export function createRouter(routes: readonly Route[], deps: RouterDeps): express.Router {
  // Nomad's paths are exact: /v1/allocations/ is another one than /v1/allocations.
  const router = express.Router({ strict: true, caseSensitive: true });
  for (const [path, methods] of byPath(routes)) {
    router.all(path, async (request, response) => {
      const route = methods.get(request.method as Method);
      if (route === undefined) {
        response.setHeader("Allow", [...methods.keys()].join(", "));
        throw new AllocdError("method-not-allowed", "Invalid method");
      }
      const caller = deps.callerOf(request, route.access);
      const query = new Query(searchOf(request.url));
      const params = request.params as Record<string, string | undefined>;
      const target = { path, id: params.id, namespace: query.namespace };
      const check = (): void => authorise(route.access, caller.acl, target, deps.store);
      check();
      query.checkCommon(deps.region);
      const about: Record<string, string> = {};
      const call: Call = {
        params,
        query,
        caller,
        visible: () => visibility(route.access, caller.acl),
        note: (more) => Object.assign(about, more),
        body: () => readJsonObject(request, deps.maxBodyBytes),
      };
      if (request.method === "GET")
        response.once(
          "close",
          caller.whileAllowed(check, () => cutOff(response)),
        );
      const work = async (): Promise<Reply> => route.handler(call);
      const isChange = request.method !== "GET" && route.changes !== false;
      const reply = isChange
        ? await deps.audit.change(
            request,
            caller,
            { target: { namespace: query.namespace }, about, whenDone: route.changes === "when-done" },
            work,
          )
        : await work();
      await deps.responder.send(request, response, query, reply, caller);
    });
  }
  return router;
}

function byPath(routes: readonly Route[]): Map<string, Map<Method, Route>> {
  const paths = new Map<string, Map<Method, Route>>();
  for (const route of routes) {
    const methods = paths.get(route.path) ?? new Map<Method, Route>();
    for (const method of [route.method].flat() as Method[]) methods.set(method, route);
    paths.set(route.path, methods);
  }
  return paths;
}

const searchOf = (url: string): string => {
  const mark = url.indexOf("?");
  return mark < 0 ? "" : url.slice(mark + 1);
};
