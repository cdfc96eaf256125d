import { encodeEvaluation } from "../../agent/model/encode-evaluation.js";
import type { Evaluation } from "../../agent/model/evaluation.js";
import { compileFilter } from "../../agent/model/filter.js";
import { encodeJson } from "../../agent/model/json.js";
import { formatRfc3339 } from "../../agent/model/rfc3339.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { readAllocs } from "../alloc-list.js";
import { listRead } from "../listing.js";
import { found, uuidOf } from "../lookup.js";
import { byCreateIndex } from "../order.js";
import { type Call, type Route, read } from "../route.js";

export const evaluationsRoutes = ({ store }: { readonly store: StateReader }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/evaluations",
    access: "list:read-job",
    handler: (call) => {
      const wanted = evalFilter(call);
      return listRead(call, {
        keys: ["evals"],
        index: () => store.tableIndex("evals"),
        items: () => store.evals().filter(wanted).sort(byCreateIndex.compare),
        order: byCreateIndex,
        ids: "uuid",
        encode: encodeEvaluation,
      });
    },
  },
  {
    method: "GET",
    path: "/v1/evaluations/count",
    access: "list:read-job",
    handler: (call) => {
      const wanted = evalFilter(call);
      const { namespace } = call.query;
      const expression = call.query.text("filter");
      const filter = expression === undefined ? () => true : compileFilter(expression);
      return read({
        keys: ["evals"],
        coalesce: true,
        index: () => store.tableIndex("evals"),
        result: () => {
          const sees = call.visible();
          const isIn = (e: Evaluation): boolean => (namespace === "*" ? sees(e.Namespace) : e.Namespace === namespace);
          const counted = store.evals().filter((e) => isIn(e) && wanted(e) && filter(e));
          return { json: encodeJson({ Count: counted.length, Index: store.tableIndex("evals"), KnownLeader: true, LastContact: 0 }) };
        },
      });
    },
  },
  {
    method: "GET",
    path: "/v1/evaluation/:id",
    access: "eval:read-job",
    handler: (call) => {
      const id = uuidOf(call);
      const related = call.query.bool("related", false);
      return read({
        // What it is related to may change without it.
        keys: related ? ["evals"] : [`eval:${id}`],
        coalesce: false,
        index: () => (related ? undefined : store.eval(id)?.ModifyIndex) ?? store.tableIndex("evals"),
        result: () => {
          const evaluation = found(store.eval(id), "eval not found");
          const json = encodeEvaluation(evaluation);
          if (!related) return { json };
          return { json: `${json.slice(0, -1)},"RelatedEvals":${encodeJson(relatedTo(evaluation, store).map(stubOf))}}` };
        },
      });
    },
  },
  {
    method: "GET",
    path: "/v1/evaluation/:id/allocations",
    access: "anybody",
    handler: (call) => {
      const id = uuidOf(call);
      return readAllocs(store, call, () => store.allocsOfEval(id));
    },
  },
];

/** By `job` and `status`. */
function evalFilter({ query }: Call): (e: Evaluation) => boolean {
  const jobId = query.text("job");
  const status = query.text("status");
  return (e) => (jobId === undefined || e.JobID === jobId) && (status === undefined || e.Status === status);
}

/** Those that led to it and that follow from it, over any number of steps. */
function relatedTo(evaluation: Evaluation, store: StateReader): readonly Evaluation[] {
  const known = new Map([[evaluation.ID, evaluation]]);
  const open = [evaluation];
  for (let next = open.pop(); next; next = open.pop()) {
    for (const id of [next.PreviousEval, next.NextEval, next.BlockedEval]) {
      const other = known.has(id) ? undefined : store.eval(id);
      if (!other) continue;
      known.set(id, other);
      open.push(other);
    }
  }
  known.delete(evaluation.ID);
  return [...known.values()];
}

const stubOf = (e: Evaluation): object => ({
  BlockedEval: e.BlockedEval,
  CreateIndex: e.CreateIndex,
  CreateTime: e.CreateTime,
  DeploymentID: e.DeploymentID,
  ID: e.ID,
  JobID: e.JobID,
  ModifyIndex: e.ModifyIndex,
  ModifyTime: e.ModifyTime,
  Namespace: e.Namespace,
  NextEval: e.NextEval,
  NodeID: e.NodeID,
  PreviousEval: e.PreviousEval,
  Priority: e.Priority,
  Status: e.Status,
  StatusDescription: e.StatusDescription,
  TriggeredBy: e.TriggeredBy,
  Type: e.Type,
  WaitUntil: e.WaitUntil === null ? null : formatRfc3339(e.WaitUntil),
});
