import type { AclService } from "../../agent/acl/acl-service.js";
import { policyObject, policyStub } from "../../agent/acl/encode.js";
import { policyFromApi } from "../../agent/acl/intake.js";
import { AllocdError } from "../../agent/errors.js";
import { encodeJson } from "../../agent/model/json.js";
import type { AclReader } from "../../agent/store/acl-table.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { aclOf } from "../acl/acl-of.js";
import { type Caller, denied } from "../acl/caller.js";
import { neededBody } from "../job-request.js";
import { answer, type Route, read } from "../route.js";

interface Deps {
  readonly store: StateReader;
  readonly acl?: AclService | undefined;
}

/** Source: the documentation's "ACL Policies". */
export const aclPolicyRoutes = ({ store, acl }: Deps): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/acl/policies",
    access: "anybody",
    handler: (call) => {
      aclOf(acl);
      const prefix = call.query.text("prefix") ?? "";
      return read({
        keys: ["acl"],
        coalesce: true,
        index: () => store.tableIndex("acl"),
        isPrivate: true,
        result: () => {
          const shown = ownPolicies(call.caller, store.acl);
          const all = store.acl.policies().filter(({ Name }) => Name.startsWith(prefix) && (shown === undefined || shown.has(Name)));
          return { json: encodeJson(all.map(policyStub)) };
        },
      });
    },
  },
  {
    method: "GET",
    path: "/v1/acl/policy/:name",
    access: "anybody",
    handler: (call) => {
      aclOf(acl);
      const name = call.params.name ?? "";
      const check = (): void => {
        if (ownPolicies(call.caller, store.acl)?.has(name) === false) throw denied();
      };
      check();
      return read({
        keys: ["acl"],
        coalesce: false,
        index: () => store.tableIndex("acl"),
        isPrivate: true,
        result: () => {
          check();
          const policy = store.acl.policy(name);
          if (policy === undefined) throw new AllocdError("not-found", "ACL policy not found");
          return { json: encodeJson(policyObject(policy)) };
        },
      });
    },
  },
  {
    method: ["PUT", "POST"],
    path: "/v1/acl/policy/:name",
    access: "management",
    handler: async (call) => {
      const service = aclOf(acl);
      const index = await service.putPolicy(policyFromApi(await neededBody(call), call.params.name ?? ""));
      return answer("", { index });
    },
  },
  {
    method: "DELETE",
    path: "/v1/acl/policy/:name",
    access: "management",
    handler: async (call) => answer("", { index: await aclOf(acl).deletePolicy(call.params.name ?? "") }),
  },
];

/** Names of the policies that a caller has itself; undefined when it may see all. */
function ownPolicies({ acl, identity }: Caller, reader: AclReader): ReadonlySet<string> | undefined {
  if (acl.isManagement) return undefined;
  if (identity.kind !== "token") return new Set(["anonymous"]);
  const token = reader.token(identity.accessor);
  const roles = token?.Roles.flatMap((id) => reader.role(id)?.Policies ?? []) ?? [];
  return new Set([...(token?.Policies ?? []), ...roles]);
}
