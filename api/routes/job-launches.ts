import { FieldReader } from "../../agent/model/field-reader.js";
import { encodeJson } from "../../agent/model/json.js";
import type { JobCommands } from "../deps.js";
import { ofPath } from "../job-request.js";
import { answer, type Route } from "../route.js";

const WRITES = ["PUT", "POST"] as const;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What launches jobs from periodic and parameterized ones. */
export const jobLaunchesRoutes = ({ jobs }: { readonly jobs: JobCommands }): readonly Route[] => [
  {
    method: WRITES,
    path: "/v1/job/:id/dispatch",
    access: "namespace:dispatch-job",
    handler: async (call) => {
      const from = new FieldReader((await call.body()) ?? {}, "Dispatch");
      const { namespace, id } = ofPath(call, from);
      const payload = from.text("Payload");
      if (!base64.test(payload)) throw from.invalid("Payload", "base64");
      const idPrefix = from.text("IdPrefixTemplate");
      if (/[\s/]/.test(idPrefix)) throw from.invalid("IdPrefixTemplate", "a prefix without white space and slashes");
      const { DispatchedJobID, EvalID, EvalCreateIndex, JobCreateIndex, Index } = await jobs.dispatch(namespace, id, {
        payload: Buffer.from(payload, "base64"),
        meta: from.texts("Meta") ?? {},
        idPrefix,
        idempotencyToken: call.query.text("idempotency_token") ?? "",
        priority: from.whole("Priority", 0, { max: 100 }) || undefined,
      });
      return answer(encodeJson({ DispatchedJobID, EvalCreateIndex, EvalID, Index, JobCreateIndex }), { index: Index });
    },
  },
  {
    method: WRITES,
    path: "/v1/job/:id/periodic/force",
    access: ["namespace:force-periodic-job", "namespace:dispatch-job"],
    handler: async (call) => {
      const { EvalID, EvalCreateIndex, Index } = await jobs.forcePeriodic(call.query.namespace, call.params.id ?? "");
      return answer(encodeJson({ EvalCreateIndex, EvalID, Index }), { index: Index });
    },
  },
];
