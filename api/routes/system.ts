import { AllocdError } from "../../agent/errors.js";
import { encodeJson } from "../../agent/model/json.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { denied } from "../acl/caller.js";
import { answer, type Route, read } from "../route.js";

/** The one namespace of a host. */
const DEFAULT_NAMESPACE = {
  Capabilities: null,
  CreateIndex: 1,
  Description: "Default shared namespace",
  Meta: null,
  ModifyIndex: 1,
  Name: "default",
  Quota: "",
};

/** What a cluster has many of and a host has one. */
export const systemRoutes = ({
  store,
  options,
}: {
  readonly store: StateReader;
  readonly options: { readonly region: string };
}): readonly Route[] => {
  const constant = (json: string) => read({ keys: [], coalesce: false, index: () => 1, result: () => ({ json }) });
  const leader = (): string => store.node()?.HTTPAddr ?? "";
  return [
    { method: "GET", path: "/v1/status/leader", access: "public", handler: () => answer(encodeJson(leader())) },
    { method: "GET", path: "/v1/status/peers", access: "public", handler: () => answer(encodeJson([leader()])) },
    { method: "GET", path: "/v1/regions", access: "public", handler: () => answer(encodeJson([options.region])) },
    {
      method: "GET",
      path: "/v1/namespaces",
      access: "anybody",
      handler: ({ caller }) => constant(encodeJson(caller.acl.sees("default") ? [DEFAULT_NAMESPACE] : [])),
    },
    {
      method: "GET",
      path: "/v1/namespace/:id",
      access: "anybody",
      handler: (call) => {
        if (!call.caller.acl.sees(call.params.id ?? "")) throw denied();
        if (call.params.id !== "default") throw new AllocdError("not-found", "Namespace not found");
        return constant(encodeJson(DEFAULT_NAMESPACE));
      },
    },
  ];
};
