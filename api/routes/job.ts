import { encodeAllocationStub } from "../../agent/model/encode-allocation.js";
import { encodeDeployment } from "../../agent/model/encode-deployment.js";
import { encodeEvaluation } from "../../agent/model/encode-evaluation.js";
import { encodeJob } from "../../agent/model/encode-job.js";
import type { Job } from "../../agent/model/job.js";
import { encodeJson } from "../../agent/model/json.js";
import type { StateReader, TableName } from "../../agent/store/state-store.js";
import type { JobCommands } from "../deps.js";
import { SUMMARY_TABLES, summaryIndex, summaryOf } from "../job-stub.js";
import { found } from "../lookup.js";
import { answer, type Call, type Read, type Route, read } from "../route.js";
import { registerJob } from "./jobs.js";

interface JobKey {
  readonly namespace: string;
  readonly id: string;
}

const keyOf = (call: Call): JobKey => ({ namespace: call.query.namespace, id: call.params.id ?? "" });

export const jobRoutes = ({ store, jobs }: { readonly store: StateReader; readonly jobs: JobCommands }): readonly Route[] => {
  const jobOf = ({ namespace, id }: JobKey): Job => found(store.job(namespace, id), "job not found");
  /** A read of what belongs to a job. Woken by the whole table, as it has no key by job. */
  const tableRead = (table: TableName, json: () => string): Read =>
    read({ keys: [table], coalesce: true, index: () => store.tableIndex(table), result: () => ({ json: json() }) });

  return [
    {
      method: "GET",
      path: "/v1/job/:id",
      access: "namespace:read-job",
      handler: (call) => {
        const key = keyOf(call);
        return read({
          keys: [`job:${key.namespace}/${key.id}`],
          coalesce: false,
          index: () => store.job(key.namespace, key.id)?.ModifyIndex ?? store.tableIndex("jobs"),
          result: () => ({ json: encodeJob(jobOf(key)) }),
        });
      },
    },
    {
      method: ["PUT", "POST"],
      path: "/v1/job/:id",
      access: "body:register-job",
      handler: (call) => registerJob(call, jobs, call.params.id),
    },
    {
      method: "DELETE",
      path: "/v1/job/:id",
      access: "namespace:deregister-job",
      handler: async (call) => {
        const { namespace, id } = keyOf(call);
        const purge = call.query.bool("purge", false);
        const noShutdownDelay = call.query.bool("no_shutdown_delay", false);
        const { EvalID, EvalCreateIndex, JobModifyIndex, Index } = await jobs.deregister(namespace, id, { purge, noShutdownDelay });
        const json = encodeJson({ EvalCreateIndex, EvalID, Index, JobModifyIndex, KnownLeader: false, LastContact: 0, NextToken: "" });
        return answer(json, { index: Index });
      },
    },
    {
      method: "GET",
      path: "/v1/job/:id/allocations",
      access: "namespace:read-job",
      handler: (call) => {
        const { namespace, id } = keyOf(call);
        const all = call.query.bool("all", false);
        return tableRead("allocs", () => {
          const job = store.job(namespace, id);
          // Without `all`, those of an earlier job of the same name are left out.
          const own = store
            .allocsOfJob(namespace, id)
            .filter((alloc) => all || job === undefined || alloc.Job.CreateIndex === job.CreateIndex);
          return `[${own.map((alloc) => encodeAllocationStub(alloc, { resources: false, taskStates: true })).join(",")}]`;
        });
      },
    },
    {
      method: "GET",
      path: "/v1/job/:id/evaluations",
      access: "namespace:read-job",
      handler: (call) => {
        const { namespace, id } = keyOf(call);
        return tableRead("evals", () => `[${store.evalsOfJob(namespace, id).map(encodeEvaluation).join(",")}]`);
      },
    },
    {
      method: "GET",
      path: "/v1/job/:id/summary",
      access: "namespace:read-job",
      handler: (call) => {
        const key = keyOf(call);
        return read({
          keys: SUMMARY_TABLES,
          coalesce: true,
          index: () => summaryIndex(store),
          result: () => ({ json: encodeJson(summaryOf(store, jobOf(key))) }),
        });
      },
    },
    {
      method: "GET",
      path: "/v1/job/:id/deployments",
      access: "namespace:read-job",
      handler: (call) => {
        const { namespace, id } = keyOf(call);
        return tableRead("deployments", () => `[${store.deploymentsOfJob(namespace, id).map(encodeDeployment).join(",")}]`);
      },
    },
    {
      method: "GET",
      path: "/v1/job/:id/deployment",
      access: "namespace:read-job",
      handler: (call) => {
        const { namespace, id } = keyOf(call);
        return tableRead("deployments", () => {
          const [first, ...others] = store.deploymentsOfJob(namespace, id);
          if (first === undefined) return "null";
          return encodeDeployment(others.reduce((a, b) => (b.CreateIndex > a.CreateIndex ? b : a), first));
        });
      },
    },
  ];
};
