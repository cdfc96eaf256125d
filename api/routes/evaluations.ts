import { encodeAllocationStub } from "../../agent/model/encode-allocation.js";
import { encodeEvaluation } from "../../agent/model/encode-evaluation.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { listRead } from "../listing.js";
import { found, uuidOf } from "../lookup.js";
import { byCreateIndex } from "../order.js";
import { type Route, read } from "../route.js";

export const evaluationsRoutes = ({ store }: { readonly store: StateReader }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/evaluations",
    access: "list:read-job",
    handler: (call) => {
      const jobId = call.query.text("job");
      const status = call.query.text("status");
      return listRead(call, {
        keys: ["evals"],
        index: () => store.tableIndex("evals"),
        items: () =>
          store
            .evals()
            .filter((e) => (jobId === undefined || e.JobID === jobId) && (status === undefined || e.Status === status))
            .sort(byCreateIndex.compare),
        order: byCreateIndex,
        ids: "uuid",
        encode: encodeEvaluation,
      });
    },
  },
  {
    method: "GET",
    path: "/v1/evaluation/:id",
    access: "eval:read-job",
    handler: (call) => {
      const id = uuidOf(call);
      return read({
        keys: [`eval:${id}`],
        coalesce: false,
        index: () => store.eval(id)?.ModifyIndex ?? store.tableIndex("evals"),
        result: () => ({ json: encodeEvaluation(found(store.eval(id), "eval not found")) }),
      });
    },
  },
  {
    method: "GET",
    path: "/v1/evaluation/:id/allocations",
    access: "anybody",
    handler: (call) => {
      const id = uuidOf(call);
      return read({
        keys: ["allocs"],
        coalesce: true,
        index: () => store.tableIndex("allocs"),
        result: () => ({
          json: `[${store
            .allocsOfEval(id)
            .filter((alloc) => call.caller.acl.allows("read-job", alloc.Namespace))
            .map((alloc) => encodeAllocationStub(alloc, { resources: false, taskStates: true }))
            .join(",")}]`,
        }),
      });
    },
  },
];
