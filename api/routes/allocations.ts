import { encodeAllocationStub } from "../../agent/model/encode-allocation.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { listRead } from "../listing.js";
import { byCreateIndex } from "../order.js";
import type { Route } from "../route.js";

export const allocationsRoutes = ({ store }: { readonly store: StateReader }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/allocations",
    access: "list:read-job",
    handler: (call) => {
      const resources = call.query.bool("resources", false);
      const taskStates = call.query.bool("task_states", true);
      return listRead(call, {
        keys: ["allocs"],
        index: () => store.tableIndex("allocs"),
        items: () => store.allocs(),
        order: byCreateIndex,
        ids: "uuid",
        encode: (alloc) => encodeAllocationStub(alloc, { resources, taskStates }),
      });
    },
  },
];
