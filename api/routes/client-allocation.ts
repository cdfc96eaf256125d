import { AllocdError } from "../../agent/errors.js";
import { InvalidField } from "../../agent/model/invalid-field.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { AllocCommands } from "../deps.js";
import { found, uuidOf } from "../lookup.js";
import { optionalBool, optionalText } from "../member.js";
import { answer, type Call, type Route } from "../route.js";

export const clientAllocationRoutes = ({
  store,
  allocs,
}: {
  readonly store: StateReader;
  readonly allocs: AllocCommands;
}): readonly Route[] => {
  const known = (call: Call): string => {
    const id = uuidOf(call);
    found(store.alloc(id), `Unknown allocation "${id}"`);
    return id;
  };
  return [
    {
      method: ["PUT", "POST"],
      path: "/v1/client/allocation/:id/signal",
      access: "alloc:alloc-lifecycle",
      handler: async (call) => {
        const id = known(call);
        const body = await call.body();
        if (body === undefined) throw new AllocdError("invalid", "Failed to decode body: Request body is empty");
        const signal = optionalText(body, "Signal");
        const task = optionalText(body, "Task");
        if (signal === undefined) throw new InvalidField("Signal", body.Signal, "the name of a signal, such as SIGUSR1");
        await allocs.signal(id, signal, task);
        return answer("{}");
      },
    },
    {
      method: ["PUT", "POST"],
      path: "/v1/client/allocation/:id/restart",
      access: "alloc:alloc-lifecycle",
      handler: async (call) => {
        const id = known(call);
        const body = (await call.body()) ?? {};
        const taskName = optionalText(body, "TaskName");
        const allTasks = optionalBool(body, "AllTasks");
        if (taskName !== undefined && allTasks) throw new AllocdError("invalid", "task name cannot be set when restarting all tasks");
        await allocs.restart(id, taskName === undefined ? { allTasks } : { taskName });
        return answer("{}");
      },
    },
    {
      method: "GET",
      path: "/v1/client/allocation/:id/exec",
      access: "alloc:alloc-exec",
      handler: (call) => {
        known(call);
        throw new AllocdError("invalid", "exec: got a plain request, want a WebSocket upgrade");
      },
    },
  ];
};
