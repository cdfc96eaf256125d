import type { AllocResourceUsage } from "../../agent/allocs/alloc-stats.js";
import { AllocdError } from "../../agent/errors.js";
import { encodeJson } from "../../agent/model/json.js";
import type { HostStats } from "../../agent/node/host-stats.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { found, uuidOf } from "../lookup.js";
import { answer, type Route } from "../route.js";

export interface StatsDeps {
  readonly store: StateReader;
  readonly stats: {
    ofAllocation(allocId: string, task: string): Promise<AllocResourceUsage>;
    ofHost(): Promise<HostStats>;
  };
}

/** What tasks and the host use. Source: reference behaviour §11.3, §11.4. */
export const statsRoutes = ({ store, stats }: StatsDeps): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/client/allocation/:id/stats",
    access: "alloc:read-job",
    handler: async (call) => {
      const id = uuidOf(call);
      found(store.alloc(id), `Unknown allocation "${id}"`);
      return answer(encodeJson(await stats.ofAllocation(id, call.query.text("task") ?? "")));
    },
  },
  {
    method: "GET",
    path: "/v1/client/stats",
    access: "node:read",
    handler: async (call) => {
      const nodeId = call.query.text("node_id");
      if (nodeId !== undefined && nodeId !== store.node()?.ID) throw new AllocdError("not-found", `Unknown node ${nodeId}`);
      return answer(encodeJson(await stats.ofHost()));
    },
  },
];
