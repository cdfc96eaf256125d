import { AllocdError } from "../../agent/errors.js";
import { InvalidField } from "../../agent/model/invalid-field.js";
import { encodeJson } from "../../agent/model/json.js";
import { defaultSchedulerConfig, readSchedulerConfig } from "../../agent/model/scheduler-config.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { SchedulingCommands } from "../commands.js";
import { answer, type Route } from "../route.js";

/** What an operator may set while the agent runs. */
export const operatorRoutes = ({
  store,
  scheduling,
}: {
  readonly store: StateReader;
  readonly scheduling: SchedulingCommands;
}): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/operator/scheduler/configuration",
    access: "operator:read",
    handler: () => {
      const SchedulerConfig = store.schedulerConfig() ?? defaultSchedulerConfig;
      const json = encodeJson({ Index: SchedulerConfig.ModifyIndex, KnownLeader: true, LastContact: 0, NextToken: "", SchedulerConfig });
      return answer(json, { index: SchedulerConfig.ModifyIndex });
    },
  },
  {
    method: ["PUT", "POST"],
    path: "/v1/operator/scheduler/configuration",
    access: "operator:write",
    handler: async (call) => {
      const body = await call.body();
      if (body === undefined) throw new AllocdError("invalid", "Failed to decode body: Request body is empty");
      const cas = call.query.text("cas");
      if (cas !== undefined && !/^\d{1,15}$/.test(cas)) throw new InvalidField("cas", cas, "an index");
      const { updated, index } = await scheduling.configure(readSchedulerConfig(body, ""), cas === undefined ? undefined : Number(cas));
      return answer(encodeJson({ Index: index, Updated: updated }), { index });
    },
  },
];
