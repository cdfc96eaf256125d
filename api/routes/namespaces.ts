import { createHash } from "node:crypto";
import { InvalidField } from "../../agent/model/invalid-field.js";
import { encodeJson } from "../../agent/model/json.js";
import { type Namespace, namespaceFromApi } from "../../agent/model/namespace.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { denied } from "../acl/caller.js";
import type { NamespaceCommands } from "../deps.js";
import { neededBody } from "../job-request.js";
import { listRead } from "../listing.js";
import { found } from "../lookup.js";
import { byId } from "../order.js";
import { type Answer, answer, type Call, type Route, read } from "../route.js";

const WRITES = ["PUT", "POST"] as const;

export const namespacesRoutes = ({
  store,
  namespaces,
}: {
  readonly store: StateReader;
  readonly namespaces: NamespaceCommands;
}): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/namespaces",
    access: "anybody",
    handler: (call) =>
      listRead<Namespace & { readonly ID: string }>(call, {
        keys: ["namespaces"],
        index: () => store.tableIndex("namespaces"),
        items: () =>
          store
            .namespaces()
            .filter(({ Name }) => call.caller.acl.sees(Name))
            .map((namespace) => ({ ...namespace, ID: namespace.Name })),
        order: byId,
        ids: "text",
        encode: encodeNamespace,
      }),
  },
  { method: WRITES, path: "/v1/namespace", access: "management", handler: (call) => putNamespace(call, namespaces) },
  {
    method: "GET",
    path: "/v1/namespace/:id",
    access: "anybody",
    handler: (call) => {
      const name = call.params.id ?? "";
      const check = (): void => {
        if (!call.caller.acl.sees(name)) throw denied();
      };
      check();
      return read({
        keys: [`namespace:${name}`],
        coalesce: false,
        index: () => store.namespace(name)?.ModifyIndex ?? store.tableIndex("namespaces"),
        result: () => {
          check();
          return { json: encodeNamespace(found(store.namespace(name), "Namespace not found")) };
        },
      });
    },
  },
  { method: WRITES, path: "/v1/namespace/:id", access: "management", handler: (call) => putNamespace(call, namespaces, call.params.id) },
  {
    method: "DELETE",
    path: "/v1/namespace/:id",
    access: "management",
    handler: async (call) => {
      const { Index } = await namespaces.delete(call.params.id ?? "");
      return answer(encodeJson({ Index }), { index: Index });
    },
  },
];

async function putNamespace(call: Call, namespaces: NamespaceCommands, name?: string): Promise<Answer> {
  const body = await neededBody(call);
  const namespace = namespaceFromApi(name === undefined ? body : { Name: name, ...body });
  if (name !== undefined && namespace.Name !== name)
    throw new InvalidField("Namespace.Name", namespace.Name, `the path's ${JSON.stringify(name)}`);
  const { Index } = await namespaces.put(namespace);
  return answer(encodeJson({ Index }), { index: Index });
}

/** Source: reference sample of GET /v1/namespaces. */
function encodeNamespace({ Name, Description, Meta, Quota, Capabilities, CreateIndex, ModifyIndex }: Namespace): string {
  const said = { Name, Description, Meta, Quota, Capabilities };
  return encodeJson({
    Capabilities,
    ConsulConfiguration: null,
    CreateIndex,
    Description,
    Hash: createHash("sha256").update(encodeJson(said)).digest("base64"),
    Meta,
    ModifyIndex,
    Name,
    NodePoolConfiguration: null,
    OptionalExtraClaims: null,
    Quota,
    RequiredExtraClaims: null,
    VaultConfiguration: null,
  });
}
