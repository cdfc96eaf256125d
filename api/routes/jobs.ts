import { AllocdError } from "../../agent/errors.js";
import type { Job } from "../../agent/model/job.js";
import { jobFromApi } from "../../agent/model/job-intake.js";
import { encodeJson } from "../../agent/model/json.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { JobCommands, RegisterResult } from "../deps.js";
import { encodeJobStub, SUMMARY_TABLES, summaryIndex, summaryOf } from "../job-stub.js";
import { listRead } from "../listing.js";
import { optionalBool, optionalIndex } from "../member.js";
import { byNamespaceAndId } from "../order.js";
import { type Answer, answer, type Call, type Route } from "../route.js";

export const jobsRoutes = ({ store, jobs }: { readonly store: StateReader; readonly jobs: JobCommands }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/jobs",
    access: "list:list-jobs",
    handler: (call) => {
      const meta = call.query.bool("meta", false);
      return listRead(call, {
        keys: SUMMARY_TABLES,
        index: () => summaryIndex(store),
        items: () => [...store.jobs()].sort(byNamespaceAndId.compare),
        order: byNamespaceAndId,
        ids: "text",
        encode: (job: Job) => encodeJobStub(job, summaryOf(store, job), meta),
      });
    },
  },
  { method: ["PUT", "POST"], path: "/v1/jobs", access: "body:register-job", handler: (call) => registerJob(call, jobs) },
];

/** @param pathId the id in the path, which the job's must be. */
export async function registerJob(call: Call, jobs: JobCommands, pathId?: string): Promise<Answer> {
  const body = await call.body();
  if (body === undefined) throw new AllocdError("invalid", "Failed to decode body: Request body is empty");
  if (body.Job === undefined || body.Job === null) throw new AllocdError("invalid", "Job: got nothing, want a job");
  const job = jobFromApi(withNamespace(body.Job, call), "Job");
  if (pathId !== undefined && job.ID !== pathId) {
    throw new AllocdError("invalid", `Job.ID: got ${JSON.stringify(job.ID)}, want the path's ${JSON.stringify(pathId)}`);
  }
  call.caller.require("register-job", job.Namespace);
  call.note({ namespace: job.Namespace, job: job.ID });
  const index = optionalIndex(body, "JobModifyIndex") ?? 0;
  return registered(await jobs.register(job, optionalBool(body, "EnforceIndex") ? { enforceIndex: index } : {}));
}

/** A job without a namespace goes to the one of the query. */
function withNamespace(job: unknown, call: Call): unknown {
  const namespace = call.query.text("namespace");
  if (namespace === undefined || typeof job !== "object" || job === null || Array.isArray(job)) return job;
  return { Namespace: namespace, ...job };
}

export const registered = (result: RegisterResult): Answer =>
  answer(
    encodeJson({
      EvalCreateIndex: result.EvalCreateIndex,
      EvalID: result.EvalID,
      Index: result.Index,
      JobModifyIndex: result.JobModifyIndex,
      KnownLeader: false,
      LastContact: 0,
      NextToken: "",
      Warnings: result.Warnings,
    }),
    { index: result.Index },
  );
