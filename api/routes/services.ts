import { AllocdError } from "../../agent/errors.js";
import { encodeService, encodeServiceList, type ServiceStub, serviceStubs } from "../../agent/model/encode-service.js";
import { compileFilter } from "../../agent/model/filter.js";
import { describe } from "../../agent/model/invalid-field.js";
import { encodeJson } from "../../agent/model/json.js";
import type { ServiceRegistration } from "../../agent/model/service-registration.js";
import { choose } from "../../agent/services/choose.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { AllocCommands, ServiceCommands } from "../deps.js";
import { found, uuidOf } from "../lookup.js";
import { byId, byServiceName } from "../order.js";
import { pageOf } from "../page.js";
import type { Query } from "../query.js";
import { answer, type Call, type Route, read } from "../route.js";

interface ServicesDeps {
  readonly store: StateReader;
  readonly services: ServiceCommands;
  readonly allocs: AllocCommands;
}

/** The services of this host and their checks. Source: reference behaviour §10. */
export const servicesRoutes = ({ store, services, allocs }: ServicesDeps): readonly Route[] => [
  { method: "GET", path: "/v1/services", access: "list:read-job", handler: (call) => listed(call, store) },
  { method: "GET", path: "/v1/service/:name", access: "list:read-job", handler: (call) => named(call, store) },
  {
    method: "DELETE",
    path: "/v1/service/:name/:id",
    access: "namespace:delete-service-registration",
    handler: async (call) => {
      const { name = "", id = "" } = call.params;
      const service = store.service(id);
      const isMeant = service?.ServiceName === name && isIn(call.query, service);
      // With namespace=* it may be in one that has a rule of its own.
      if (isMeant) call.caller.require("delete-service-registration", service.Namespace);
      return answer("", { index: await services.deregister(found(isMeant ? service : undefined, "service registration not found")) });
    },
  },
  {
    method: "GET",
    path: "/v1/allocation/:id/services",
    access: "alloc:read-job",
    handler: (call) => {
      const id = uuidOf(call);
      const { namespace } = call.query;
      return read({
        keys: ["services", `alloc:${id}`],
        coalesce: false,
        index: () => store.tableIndex("services"),
        result: () => {
          const alloc = store.alloc(id);
          found(alloc?.Namespace === namespace ? alloc : undefined, "allocation not found");
          return { json: encoded([...store.servicesOfAlloc(id)].sort(byId.compare)) };
        },
      });
    },
  },
  ...["/v1/client/allocation/:id/checks", "/v1/allocation/:id/checks"].map(
    (path): Route => ({
      method: "GET",
      path,
      access: "alloc:read-job",
      handler: (call) => {
        const id = uuidOf(call);
        found(store.alloc(id), `Unknown allocation "${id}"`);
        return answer(encodeJson(allocs.checks(id)));
      },
    }),
  ),
];

function listed({ query, visible }: Call, store: StateReader) {
  const { perPage, reverse } = query;
  const nextToken = query.text("next_token");
  const filter = filterOf(query);
  if (nextToken !== undefined) byServiceName.place(nextToken);
  return read({
    keys: ["services"],
    coalesce: true,
    index: () => store.tableIndex("services"),
    result: () => {
      const stubs = serviceStubs(store.services().filter(isShown(query, visible(), filter)));
      const page = pageOf<ServiceStub>(stubs, byServiceName, { perPage, nextToken, reverse, keep: () => true });
      const json = encodeServiceList(page.items);
      return page.nextToken === undefined ? { json } : { json, nextToken: page.nextToken };
    },
  });
}

function named({ params, query, visible }: Call, store: StateReader) {
  const { perPage, reverse } = query;
  const nextToken = query.text("next_token");
  const filter = filterOf(query);
  const chosen = choiceOf(query);
  return read({
    keys: ["services"],
    coalesce: true,
    index: () => store.tableIndex("services"),
    result: () => {
      const instances = store
        .servicesNamed(params.name ?? "")
        .filter(isShown(query, visible(), filter))
        .sort(byId.compare);
      if (chosen) return { json: encoded(choose(instances, chosen.count, chosen.key)) };
      const page = pageOf(instances, byId, { perPage, nextToken, reverse, keep: () => true });
      const json = encoded(page.items as readonly ServiceRegistration[]);
      return page.nextToken === undefined ? { json } : { json, nextToken: page.nextToken };
    },
  });
}

const encoded = (services: readonly ServiceRegistration[]): string => `[${services.map(encodeService).join(",")}]`;

const isIn = ({ namespace }: Query, { Namespace }: ServiceRegistration): boolean => namespace === "*" || namespace === Namespace;

const isShown =
  (query: Query, sees: (namespace: string) => boolean, filter: (service: object) => boolean) =>
  (service: ServiceRegistration): boolean =>
    isIn(query, service) && sees(service.Namespace) && filter(service);

/** @throws FilterError */
function filterOf(query: Query): (service: object) => boolean {
  const expression = query.text("filter");
  return expression === undefined ? () => true : compileFilter(expression);
}

/** `choose=<number>|<key>`: so many instances, the same for the same key. */
function choiceOf(query: Query): { readonly count: number; readonly key: string } | null {
  const given = query.text("choose");
  if (given === undefined) return null;
  const [, count, key] = /^(\d{1,9})\|(.+)$/s.exec(given) ?? [];
  if (key === undefined || Number(count) < 1)
    throw new AllocdError("bad-query", `choose: got ${describe(given)}, want a number of 1 or more, "|" and a key`);
  return { count: Number(count), key };
}
