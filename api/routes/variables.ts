import type { VariableCapability } from "../../agent/acl/capabilities.js";
import { AllocdError } from "../../agent/errors.js";
import { encodeVariable, encodeVariableMetadata } from "../../agent/model/encode-variable.js";
import { describe } from "../../agent/model/invalid-field.js";
import { encodeJson } from "../../agent/model/json.js";
import { type VariableMetadata, variableKey } from "../../agent/model/variable.js";
import { readVariableItems } from "../../agent/model/variable-intake.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { VariablePlace } from "../../agent/vars/variables.js";
import { denied } from "../acl/caller.js";
import type { VariableCommands } from "../deps.js";
import { listRead } from "../listing.js";
import { byNamespaceAndId } from "../order.js";
import { type Answer, answer, type Call, type Route, read } from "../route.js";

interface Deps {
  readonly store: StateReader;
  readonly variables: VariableCommands;
}

/** Source of statuses and texts: the reference's API of variables. */
export const variablesRoutes = ({ store, variables }: Deps): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/vars",
    access: "anybody",
    handler: (call) =>
      listRead<VariableMetadata & { readonly ID: string }>(call, {
        keys: ["vars"],
        index: () => store.tableIndex("vars"),
        items: () =>
          variables
            .list()
            .filter(({ Namespace, Path }) => call.caller.acl.allowsVariable("list", Namespace, Path))
            .map((variable) => ({ ...variable, ID: variable.Path }))
            .sort(byNamespaceAndId.compare),
        order: byNamespaceAndId,
        ids: "text",
        encode: encodeVariableMetadata,
      }),
  },
  {
    method: "GET",
    path: "/v1/var/*path",
    access: "anybody",
    handler: (call) => {
      const place = placeOf(call);
      requireVariable(call, "read", place);
      return read({
        keys: [`var:${variableKey(place.namespace, place.path)}`],
        coalesce: false,
        index: () => store.variable(place.namespace, place.path)?.ModifyIndex ?? store.tableIndex("vars"),
        result: () => {
          requireVariable(call, "read", place);
          const variable = variables.read(place);
          if (!variable) throw new AllocdError("not-found", "variable not found");
          return { json: encodeVariable(variable) };
        },
      });
    },
  },
  {
    method: ["PUT", "POST"],
    path: "/v1/var/*path",
    access: "anybody",
    handler: async (call) => {
      const place = placeOf(call);
      requireVariable(call, "write", place);
      call.note({ ...place });
      const expected = expectedIndex(call);
      const body = await call.body();
      if (body === undefined) throw new AllocdError("invalid", "Failed to decode body: Request body is empty");
      const result = await variables.write(place, readVariableItems(body, place), expected);
      return result.outcome === "done" ? answer(encodeVariable(result.value), { index: result.index }) : conflict(result.found);
    },
  },
  {
    method: "DELETE",
    path: "/v1/var/*path",
    access: "anybody",
    handler: async (call) => {
      const place = placeOf(call);
      requireVariable(call, "destroy", place);
      const result = await variables.delete(place, expectedIndex(call));
      return result.outcome === "done" ? answer("", { status: 204, index: result.index }) : conflict(result.found);
    },
  },
  {
    method: "GET",
    path: "/v1/operator/keyring/keys",
    access: "management",
    handler: () => answer(encodeJson(variables.keys.map((KeyID, i) => key(KeyID, i === 0)))),
  },
  {
    method: ["PUT", "POST"],
    path: "/v1/operator/keyring/rotate",
    access: "management",
    handler: async ({ query }) => {
      const { keyId, index } = await variables.rotate(query.bool("full", false));
      return answer(encodeJson({ Index: index, Key: key(keyId, true) }), { index });
    },
  },
];

const key = (KeyID: string, isActive: boolean): object => ({ Algorithm: "aes256-gcm", KeyID, State: isActive ? "active" : "inactive" });

/** Variables have rules of their own, by path. @throws AllocdError 403 */
function requireVariable({ caller }: Call, capability: VariableCapability, { namespace, path }: VariablePlace): void {
  if (!caller.acl.allowsVariable(capability, namespace, path)) throw denied();
}

/** What is there instead of what was expected. */
const conflict = (found: Parameters<typeof encodeVariable>[0] | Parameters<typeof encodeVariableMetadata>[0]): Answer =>
  answer("Items" in found ? encodeVariable(found) : encodeVariableMetadata(found), { status: 409, index: found.ModifyIndex });

function placeOf({ params, query }: Call): VariablePlace {
  for (const name of ["lock-acquire", "lock-release", "lock-renew"]) {
    if (query.has(name)) throw new AllocdError("bad-query", `${name}: locks on variables are not supported`);
  }
  const { namespace } = query;
  if (namespace === "*") throw new AllocdError("bad-query", 'can not target wildcard ("*") namespace');
  // A path with several parts comes in pieces.
  const path = [(params as Readonly<Record<string, unknown>>).path].flat().join("/");
  if (path === "") throw new AllocdError("bad-query", "missing variable path");
  return { namespace, path };
}

/** The ModifyIndex that the variable has to have; 0 is one that is not there. */
function expectedIndex({ query }: Call): number | undefined {
  const given = query.text("cas");
  if (given === undefined) return undefined;
  const index = /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
  if (!Number.isSafeInteger(index)) throw new AllocdError("bad-query", `can not parse cas: got ${describe(given)}, want a ModifyIndex`);
  return index;
}
