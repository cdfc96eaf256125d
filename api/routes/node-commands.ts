import type { NodeResult } from "../../agent/jobs/node-service.js";
import { FieldReader } from "../../agent/model/field-reader.js";
import { encodeJson } from "../../agent/model/json.js";
import type { NodeCommands } from "../commands.js";
import { uuidOf } from "../lookup.js";
import { type Answer, answer, type Call, type Route } from "../route.js";

/** What operators may say of this node. */
export const nodeCommandRoutes = ({ nodes }: { readonly nodes: NodeCommands }): readonly Route[] => {
  const command = (name: string, run: (id: string, body: FieldReader) => Promise<NodeResult>): Route => ({
    method: ["PUT", "POST"],
    path: `/v1/node/:id/${name}`,
    access: "node:write",
    handler: async (call) => {
      const id = uuidOf(call);
      const body = await bodyOf(call);
      const named = body.text("NodeID");
      if (named !== "" && named !== id) throw body.invalid("NodeID", `the path's ${JSON.stringify(id)}`);
      return changed(await run(id, body));
    },
  });
  return [
    command("eligibility", (id, body) => {
      const wanted = body.oneOf("Eligibility", ["eligible", "ineligible", ""], "");
      if (wanted === "") throw body.invalid("Eligibility", "eligible or ineligible");
      return nodes.setEligibility(id, wanted === "eligible");
    }),
    command("drain", (id, body) => {
      const spec = body.object("DrainSpec", (value, at) => {
        const drain = new FieldReader(value, at);
        const isForced = typeof drain.raw("Deadline") === "number" && Number(drain.raw("Deadline")) < 0;
        return { deadline: isForced ? -1 : drain.duration("Deadline", 0), ignoreSystemJobs: drain.flag("IgnoreSystemJobs") };
      });
      return nodes.drain(id, spec, { markEligible: body.flag("MarkEligible"), meta: body.texts("Meta") });
    }),
    command("evaluate", (id) => nodes.evaluate(id)),
  ];
};

const bodyOf = async (call: Call): Promise<FieldReader> => new FieldReader((await call.body()) ?? {}, "");

const changed = ({ EvalIDs, ...result }: NodeResult): Answer =>
  answer(encodeJson({ ...result, EvalIDs: EvalIDs.length > 0 ? EvalIDs : null, KnownLeader: false, LastContact: 0, NextToken: "" }), {
    index: result.Index,
  });
