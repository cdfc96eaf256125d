import type { Allocation } from "../agent/model/allocation.js";
import { encodeAllocationStub } from "../agent/model/encode-allocation.js";
import type { StateReader } from "../agent/store/state-store.js";
import { type Call, read } from "./route.js";

const stub = (alloc: Allocation): string => encodeAllocationStub(alloc, { resources: false, taskStates: true });

/** The answer that lists what belongs to something else, of it what the caller may see; a blocked one wakes for any change of allocations. */
export const readAllocs = (
  store: StateReader,
  { caller }: Call,
  members: () => readonly Allocation[],
  encode: (alloc: Allocation) => string = stub,
) =>
  read({
    keys: ["allocs"],
    coalesce: true,
    index: () => store.tableIndex("allocs"),
    result: () => ({
      json: `[${members()
        .filter((alloc) => caller.acl.allows("read-job", alloc.Namespace))
        .map(encode)
        .join(",")}]`,
    }),
  });
