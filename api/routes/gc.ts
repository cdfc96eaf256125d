import { AllocdError } from "../../agent/errors.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { GcCommands } from "../deps.js";
import { found, uuidOf } from "../lookup.js";
import { answer, type Route } from "../route.js";

/** Removes what ended allocations have left on the disk. The answers have no body. Source: reference behaviour §1.4, §7.4. */
export const gcRoutes = ({ store, gc }: { readonly store: StateReader; readonly gc: GcCommands }): readonly Route[] => [
  {
    method: ["PUT", "POST"],
    path: "/v1/client/gc",
    access: "node:write",
    handler: (call) => {
      const nodeId = call.query.text("node_id");
      if (nodeId !== undefined && nodeId !== store.node()?.ID) throw new AllocdError("not-found", `Unknown node ${nodeId}`);
      gc.collectAll();
      return answer("");
    },
  },
  {
    method: ["PUT", "POST"],
    path: "/v1/client/allocation/:id/gc",
    access: "alloc:gc-allocation",
    handler: async (call) => {
      const id = uuidOf(call);
      found(store.alloc(id), `Unknown allocation "${id}"`);
      await gc.collect(id);
      return answer("");
    },
  },
];
