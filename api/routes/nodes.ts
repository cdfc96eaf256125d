import { encodeAllocation } from "../../agent/model/encode-allocation.js";
import { encodeNode, encodeNodeStub } from "../../agent/model/encode-node.js";
import type { Node } from "../../agent/model/node.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { readAllocs } from "../alloc-list.js";
import { listRead } from "../listing.js";
import { found, uuidOf } from "../lookup.js";
import { byId } from "../order.js";
import { type Route, read } from "../route.js";

export const nodesRoutes = ({ store }: { readonly store: StateReader }): readonly Route[] => {
  const nodeOf = (id: string): Node | undefined => {
    const node = store.node();
    return node?.ID === id ? node : undefined;
  };
  return [
    {
      method: "GET",
      path: "/v1/nodes",
      access: "node:read",
      handler: (call) =>
        listRead(call, {
          keys: ["nodes"],
          index: () => store.tableIndex("nodes"),
          items: () => [store.node()].filter((node) => node !== undefined),
          order: byId,
          ids: "uuid",
          encode: encodeNodeStub,
        }),
    },
    {
      method: "GET",
      path: "/v1/node/:id",
      access: "node:read",
      handler: (call) => {
        const id = uuidOf(call);
        return read({
          keys: ["nodes"],
          coalesce: false,
          index: () => nodeOf(id)?.ModifyIndex ?? store.tableIndex("nodes"),
          result: () => ({ json: encodeNode(found(nodeOf(id), "node not found")) }),
        });
      },
    },
    {
      method: "GET",
      path: "/v1/node/:id/allocations",
      access: "node:read",
      handler: (call) => {
        const id = uuidOf(call);
        // Whole allocations, not stubs.
        return readAllocs(store, call, () => store.allocs().filter((alloc) => alloc.NodeID === id), encodeAllocation);
      },
    },
  ];
};
