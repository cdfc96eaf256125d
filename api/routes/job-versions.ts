import { AllocdError } from "../../agent/errors.js";
import { encodeJob } from "../../agent/model/encode-job.js";
import { FieldReader } from "../../agent/model/field-reader.js";
import { describe } from "../../agent/model/invalid-field.js";
import type { Job } from "../../agent/model/job.js";
import { encodeJson } from "../../agent/model/json.js";
import { diffJobs, type JobDiff } from "../../agent/model/spec-diff.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { JobCommands } from "../deps.js";
import { neededBody, ofPath } from "../job-request.js";
import { found } from "../lookup.js";
import { answer, type Call, type Route, read } from "../route.js";
import { registered } from "./jobs.js";

const WRITES = ["PUT", "POST"] as const;

/** The kept versions of a job, and what can be done with them. */
export const jobVersionsRoutes = ({ store, jobs }: { readonly store: StateReader; readonly jobs: JobCommands }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/job/:id/versions",
    access: "namespace:read-job",
    handler: (call) => {
      const namespace = call.query.namespace;
      const id = call.params.id ?? "";
      const diffs = call.query.bool("diffs", false);
      const against = versionParameter(call, "diff_version");
      const versions = (): readonly Job[] => store.jobVersions(namespace, id);
      // A version that is not the current one has an index of its own.
      const index = (): number =>
        versions().reduce((latest, { ModifyIndex }) => Math.max(latest, ModifyIndex), 0) || store.tableIndex("jobs");
      return read({
        keys: [`job:${namespace}/${id}`],
        coalesce: false,
        index,
        result: () => {
          found(versions()[0], "job versions not found");
          const told = diffs || against !== undefined ? encodeJson(diffsOf(versions(), against)) : "null";
          const jobsJson = versions().map(encodeJob).join(",");
          return {
            json: `{"Diffs":${told},"Index":${index()},"KnownLeader":true,"LastContact":0,"NextToken":"","Versions":[${jobsJson}]}`,
          };
        },
      });
    },
  },
  {
    method: WRITES,
    path: "/v1/job/:id/revert",
    access: "namespace:revert-job",
    handler: async (call) => {
      const { from, namespace, id } = await versionRequest(call);
      const version = versionOf(from);
      const prior = from.raw("EnforcePriorVersion") === undefined ? undefined : from.whole("EnforcePriorVersion", 0);
      return registered(await jobs.revert(namespace, id, version, prior));
    },
  },
  {
    method: WRITES,
    path: "/v1/job/:id/stable",
    access: "namespace:stable-job",
    handler: async (call) => {
      const { from, namespace, id } = await versionRequest(call);
      const { Index } = await jobs.setStable(namespace, id, versionOf(from), from.flag("Stable"));
      return answer(encodeJson({ Index, JobModifyIndex: Index }), { index: Index });
    },
  },
];

/** Version 0 is one too, so a body without any must not mean it. */
function versionOf(from: FieldReader): number {
  if (from.raw("JobVersion") === undefined) throw from.invalid("JobVersion", "the number of a version");
  return from.whole("JobVersion", 0);
}

async function versionRequest(call: Call) {
  const from = new FieldReader(await neededBody(call), "");
  return { from, ...ofPath(call, from) };
}

/** Each version against the one before it, or against one of them. */
function diffsOf(versions: readonly Job[], against: number | undefined): readonly JobDiff[] {
  if (against === undefined) return versions.slice(0, -1).map((job, i) => diffJobs(versions[i + 1] ?? null, job));
  const base = found(
    versions.find(({ Version }) => Version === against),
    `job version ${against} not found`,
  );
  return versions.filter((job) => job !== base).map((job) => diffJobs(base, job));
}

function versionParameter(call: Call, name: string): number | undefined {
  const text = call.query.text(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new AllocdError("bad-query", `${name}: got ${describe(text)}, want the number of a version`);
  return Number(text);
}
