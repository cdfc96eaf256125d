import type { Acl } from "../../agent/acl/acl.js";
import { FieldReader } from "../../agent/model/field-reader.js";
import { encodeJson } from "../../agent/model/json.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { neededBody } from "../job-request.js";
import { answer, type Call, type Route } from "../route.js";
import { type Found, FUZZY_CONTEXTS, PREFIX_CONTEXTS, type SearchRequest, searchFuzzy, searchPrefix } from "../search.js";

const WRITES = ["PUT", "POST"] as const;
/** Source: the defaults of Nomad's `search` block. */
const PREFIX_LIMIT = 20;
const FUZZY_LIMIT = 20;
const MIN_FUZZY = 2;

/** Finds objects by a part of their id or name. */
export const searchRoutes = ({ store }: { readonly store: StateReader }): readonly Route[] => {
  const respond = ({ truncations }: Found, Matches: object) =>
    answer(encodeJson({ Index: store.index, KnownLeader: true, LastContact: 0, Matches, NextToken: "", Truncations: truncations }), {
      index: store.index,
    });
  return [
    {
      method: WRITES,
      path: "/v1/search",
      access: "anybody",
      changes: false,
      handler: async (call) => {
        const { from, context, namespace } = await searchOf(call, PREFIX_CONTEXTS);
        const found = searchPrefix(from.text("Prefix"), {
          store,
          contexts: PREFIX_CONTEXTS,
          context,
          namespace,
          sees: seer(call.caller.acl),
          limit: PREFIX_LIMIT,
        });
        return respond(found, Object.fromEntries(Object.entries(found.matches).map(([name, list]) => [name, list.map(({ ID }) => ID)])));
      },
    },
    {
      method: WRITES,
      path: "/v1/search/fuzzy",
      access: "anybody",
      changes: false,
      handler: async (call) => {
        const { from, context, namespace } = await searchOf(call, FUZZY_CONTEXTS);
        const text = from.text("Text");
        if (text.length < MIN_FUZZY) throw from.invalid("Text", `at least ${MIN_FUZZY} characters`);
        const found = searchFuzzy(text, {
          store,
          contexts: FUZZY_CONTEXTS,
          context,
          namespace,
          sees: seer(call.caller.acl),
          limit: FUZZY_LIMIT,
        });
        return respond(found, found.matches);
      },
    },
  ];
};

async function searchOf(call: Call, contexts: Readonly<Record<string, unknown>>) {
  const from = new FieldReader(await neededBody(call), "");
  const context = from.oneOf("Context", [...Object.keys(contexts), "all"], "all");
  return { from, context, namespace: call.query.namespace };
}

/** What a caller may be told of: jobs and theirs by namespace, the node by its level, namespaces in which it may do anything. */
const seer =
  (acl: Acl): SearchRequest["sees"] =>
  (context, namespace, id) => {
    if (namespace !== null) return acl.allows("read-job", namespace);
    return context === "namespaces" ? acl.sees(id) : acl.allowsLevel("node", "read");
  };
