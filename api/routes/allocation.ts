import { AllocdError } from "../../agent/errors.js";
import { encodeAllocation } from "../../agent/model/encode-allocation.js";
import { FieldReader } from "../../agent/model/field-reader.js";
import { encodeJson } from "../../agent/model/json.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { JobCommands } from "../deps.js";
import { found, uuidOf } from "../lookup.js";
import { answer, type Route, read } from "../route.js";

export const allocationRoutes = ({ store, jobs }: { readonly store: StateReader; readonly jobs: JobCommands }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/allocation/{:id}",
    access: "alloc:read-job",
    handler: (call) => {
      const id = uuidOf(call);
      return read({
        keys: [`alloc:${id}`],
        coalesce: false,
        index: () => store.alloc(id)?.ModifyIndex ?? store.tableIndex("allocs"),
        result: () => ({ json: encodeAllocation(found(store.alloc(id), "alloc not found")) }),
      });
    },
  },
  {
    method: "PUT",
    path: "/v1/allocation/{:id}",
    access: "body:submit-job",
    handler: async (call) => {
      const id = uuidOf(call);
      const input = await call.body();
      if (input === undefined) throw new AllocdError("invalid", "Failed to decode body: Request body is empty");
      const namespace = namespaceOf(input);
      for (const touched of [namespace, store.alloc(id)?.Namespace ?? namespace]) call.caller.require("submit-job", touched);
      call.note({ namespace });
      const { Index } = await jobs.putAllocation(id, input);
      return answer(encodeJson({ Index }), { index: Index });
    },
  },
  {
    method: "DELETE",
    path: "/v1/allocation/{:id}",
    access: "alloc:submit-job",
    handler: async (call) => {
      const { Index } = await jobs.deleteAllocation(uuidOf(call));
      return answer(encodeJson({ Index }), { index: Index });
    },
  },
  {
    method: ["PUT", "POST"],
    path: "/v1/allocation/:id/stop",
    access: "alloc:alloc-lifecycle",
    handler: async (call) => {
      const id = uuidOf(call);
      const noShutdownDelay = call.query.bool("no_shutdown_delay", false);
      const reschedule = call.query.bool("reschedule", false);
      found(store.alloc(id), "allocation not found");
      const { EvalID, Index } = await jobs.stopAlloc(id, { noShutdownDelay, reschedule });
      return answer(encodeJson({ EvalID, Index }), { index: Index });
    },
  },
];

/** Where an allocation is to be, as its intake reads it. */
function namespaceOf(input: Readonly<Record<string, unknown>>): string {
  const from = new FieldReader(input, "Allocation");
  return from.text("Namespace") || new FieldReader(from.raw("Job") ?? {}, "Allocation.Job").text("Namespace") || "default";
}
