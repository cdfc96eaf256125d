import type { AclService } from "../../agent/acl/acl-service.js";
import { roleObject } from "../../agent/acl/encode.js";
import { roleFromApi } from "../../agent/acl/intake.js";
import { AllocdError } from "../../agent/errors.js";
import type { AclRole } from "../../agent/model/acl.js";
import { encodeJson } from "../../agent/model/json.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { aclOf } from "../acl/acl-of.js";
import { type Caller, denied } from "../acl/caller.js";
import { neededBody } from "../job-request.js";
import { answer, type Call, type Read, type Route, read } from "../route.js";

interface Deps {
  readonly store: StateReader;
  readonly acl?: AclService | undefined;
}

/** A client sees the roles of its own token. Source: the documentation's "ACL Roles". */
export const aclRoleRoutes = ({ store, acl }: Deps): readonly Route[] => {
  const sees = ({ acl: rules, identity }: Caller, id: string | undefined): boolean =>
    rules.isManagement || (id !== undefined && identity.kind === "token" && (store.acl.token(identity.accessor)?.Roles ?? []).includes(id));
  const roleRead = (caller: Caller, find: () => AclRole | undefined): Read => {
    if (!sees(caller, find()?.ID)) throw denied();
    return read({
      keys: ["acl"],
      coalesce: false,
      index: () => store.tableIndex("acl"),
      isPrivate: true,
      result: () => {
        const role = find();
        if (!sees(caller, role?.ID)) throw denied();
        if (role === undefined) throw new AllocdError("not-found", "ACL role not found");
        return { json: encodeJson(roleObject(role)) };
      },
    });
  };
  const idOf = (call: Call): string => (call.params.id ?? "").toLowerCase();
  const put = async (call: Call, id?: string) => {
    const role = await aclOf(acl).putRole(roleFromApi(await neededBody(call)), id);
    call.note({ role: role.Name });
    return answer(encodeJson(roleObject(role)), { index: role.ModifyIndex });
  };

  return [
    {
      method: "GET",
      path: "/v1/acl/roles",
      access: "anybody",
      handler: ({ caller, query }) => {
        aclOf(acl);
        const prefix = query.text("prefix") ?? "";
        return read({
          keys: ["acl"],
          coalesce: true,
          index: () => store.tableIndex("acl"),
          isPrivate: true,
          result: () => {
            const roles = store.acl.roles().filter(({ ID }) => ID.startsWith(prefix) && sees(caller, ID));
            return { json: encodeJson(roles.map(roleObject)) };
          },
        });
      },
    },
    { method: ["PUT", "POST"], path: "/v1/acl/role", access: "management", handler: (call) => put(call) },
    {
      method: "GET",
      path: "/v1/acl/role/name/:name",
      access: "anybody",
      handler: (call) => {
        aclOf(acl);
        return roleRead(call.caller, () => store.acl.roles().find(({ Name }) => Name === call.params.name));
      },
    },
    {
      method: "GET",
      path: "/v1/acl/role/:id",
      access: "anybody",
      handler: (call) => {
        aclOf(acl);
        return roleRead(call.caller, () => store.acl.role(idOf(call)));
      },
    },
    { method: ["PUT", "POST"], path: "/v1/acl/role/:id", access: "management", handler: (call) => put(call, idOf(call)) },
    {
      method: "DELETE",
      path: "/v1/acl/role/:id",
      access: "management",
      handler: async (call) => answer("", { index: await aclOf(acl).deleteRole(idOf(call)) }),
    },
  ];
};
