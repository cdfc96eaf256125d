import { AllocdError } from "../../agent/errors.js";
import type { EvalResult } from "../../agent/jobs/eval-requests.js";
import type { JobKey } from "../../agent/jobs/job-key.js";
import { encodeEvaluation } from "../../agent/model/encode-evaluation.js";
import { FieldReader } from "../../agent/model/field-reader.js";
import { InvalidField } from "../../agent/model/invalid-field.js";
import { jobFromApi } from "../../agent/model/job-intake.js";
import { encodeJson } from "../../agent/model/json.js";
import { encodeScaleStatus } from "../../agent/model/scaling.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { SchedulingCommands } from "../commands.js";
import { found } from "../lookup.js";
import { optionalBool } from "../member.js";
import { type Answer, answer, type Call, type Route, read } from "../route.js";

const keyOf = (call: Call): JobKey => ({ namespace: call.query.namespace, id: call.params.id ?? "" });

/** What a registration would do, how many there should be, and another look. */
export const jobSchedulingRoutes = ({
  store,
  scheduling,
}: {
  readonly store: StateReader;
  readonly scheduling: SchedulingCommands;
}): readonly Route[] => [
  {
    method: ["PUT", "POST"],
    path: "/v1/job/:id/plan",
    access: "body:plan-job",
    changes: false,
    handler: async (call) => {
      const body = await call.body();
      if (body === undefined) throw new AllocdError("invalid", "Failed to decode body: Request body is empty");
      if (body.Job === undefined || body.Job === null) throw new AllocdError("invalid", "Job: got nothing, want a job");
      const namespace = call.query.text("namespace");
      const job = jobFromApi(namespace === undefined ? body.Job : { Namespace: namespace, ...(body.Job as object) });
      call.caller.require("plan-job", job.Namespace);
      const { id } = keyOf(call);
      if (job.ID !== id) throw new InvalidField("Job.ID", job.ID, `the path's ${JSON.stringify(id)}`);
      const { CreatedEvals, ...plan } = scheduling.plan(job, { diff: optionalBool(body, "Diff") });
      const evals = CreatedEvals === null ? "null" : `[${CreatedEvals.map(encodeEvaluation).join(",")}]`;
      return answer(`{"CreatedEvals":${evals},${encodeJson(plan).slice(1)}`, { index: plan.Index });
    },
  },
  {
    method: "GET",
    path: "/v1/job/:id/scale",
    access: ["namespace:read-job-scaling", "namespace:read-job"],
    handler: (call) => {
      const { namespace, id } = keyOf(call);
      const tables = ["jobs", "allocs", "deployments"] as const;
      return read({
        keys: tables,
        coalesce: true,
        index: () => Math.max(...tables.map((table) => store.tableIndex(table))),
        result: () => {
          const job = found(store.job(namespace, id), "job not found");
          const deployment = store
            .deploymentsOfJob(namespace, id)
            .find((d) => d.JobVersion === job.Version && d.JobCreateIndex === job.CreateIndex);
          return { json: encodeScaleStatus(job, store.allocsOfJob(namespace, id), deployment, store.scalingEvents(namespace, id)) };
        },
      });
    },
  },
  {
    method: ["PUT", "POST"],
    path: "/v1/job/:id/scale",
    access: ["namespace:scale-job", "namespace:submit-job"],
    handler: async (call) => {
      const key = keyOf(call);
      const from = new FieldReader((await call.body()) ?? {}, "");
      const target = new FieldReader(from.raw("Target") ?? {}, "Target");
      const named = target.text("Job");
      if (named !== "" && named !== key.id) throw new InvalidField("Target.Job", named, `the path's ${JSON.stringify(key.id)}`);
      const meta = from.object("Meta", (value) => new FieldReader(value, "Meta").others([]));
      return evaluated(
        await scheduling.scale(key, {
          group: target.needed("Group"),
          count: from.raw("Count") === undefined ? null : from.whole("Count", 0, { max: 100_000 }),
          message: from.text("Message"),
          isError: from.flag("Error"),
          meta,
        }),
      );
    },
  },
  {
    method: ["PUT", "POST"],
    path: "/v1/job/:id/evaluate",
    access: "namespace:evaluate-job",
    handler: async (call) => {
      const options = new FieldReader(new FieldReader((await call.body()) ?? {}, "").raw("EvalOptions") ?? {}, "EvalOptions");
      return evaluated(await scheduling.evaluate(keyOf(call), { forceReschedule: options.flag("ForceReschedule") }));
    },
  },
];

const evaluated = ({ EvalID, EvalCreateIndex, JobModifyIndex, Index }: EvalResult): Answer =>
  answer(encodeJson({ EvalCreateIndex, EvalID, Index, JobModifyIndex, KnownLeader: false, LastContact: 0, NextToken: "", Warnings: "" }), {
    index: Index,
  });
