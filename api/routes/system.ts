import { encodeJson } from "../../agent/model/json.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { JobCommands } from "../deps.js";
import { answer, type Route } from "../route.js";

const WRITES = ["PUT", "POST"] as const;

/** What a cluster has many of and a host has one. */
export const systemRoutes = ({
  store,
  jobs,
  options,
}: {
  readonly store: StateReader;
  readonly jobs: Pick<JobCommands, "collectGarbage">;
  readonly options: { readonly region: string };
}): readonly Route[] => {
  const leader = (): string => store.node()?.HTTPAddr ?? "";
  return [
    { method: "GET", path: "/v1/status/leader", access: "public", handler: () => answer(encodeJson(leader())) },
    { method: "GET", path: "/v1/status/peers", access: "public", handler: () => answer(encodeJson([leader()])) },
    { method: "GET", path: "/v1/regions", access: "public", handler: () => answer(encodeJson([options.region])) },
    { method: "GET", path: "/v1/agent/servers", access: "agent:read", handler: () => answer(encodeJson([leader()])) },
    {
      method: WRITES,
      path: "/v1/system/gc",
      access: "management",
      handler: async () => {
        await jobs.collectGarbage();
        return answer("null");
      },
    },
    // Summaries are counted anew for every answer, so they always agree with what they count.
    { method: WRITES, path: "/v1/system/reconcile/summaries", access: "management", handler: () => answer("null") },
  ];
};
