import type { AclService } from "../../agent/acl/acl-service.js";
import { tokenObject, tokenStub } from "../../agent/acl/encode.js";
import { tokenFromApi } from "../../agent/acl/intake.js";
import { AllocdError } from "../../agent/errors.js";
import { encodeJson } from "../../agent/model/json.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { aclOf } from "../acl/acl-of.js";
import { denied } from "../acl/caller.js";
import { neededBody } from "../job-request.js";
import { optionalText } from "../member.js";
import { type Answer, answer, type Call, type Read, type Route, read } from "../route.js";

interface Deps {
  readonly store: StateReader;
  readonly acl?: AclService | undefined;
}

/** A secret is in the answer that makes its token, and in no other. Source: the documentation's "ACL Tokens". */
export const aclTokenRoutes = ({ store, acl }: Deps): readonly Route[] => {
  const made = ({ token, secret }: Awaited<ReturnType<AclService["createToken"]>>): Answer =>
    answer(encodeJson(tokenObject(token, store.acl, secret)), { index: token.ModifyIndex });
  const tokenRead = (accessor: string): Read =>
    read({
      keys: ["acl"],
      coalesce: false,
      index: () => store.tableIndex("acl"),
      isPrivate: true,
      result: () => {
        const token = store.acl.token(accessor);
        if (token === undefined) throw new AllocdError("not-found", "ACL token not found");
        return { json: encodeJson(tokenObject(token, store.acl)) };
      },
    });
  const accessorOf = (call: Call): string => (call.params.accessor ?? "").toLowerCase();

  return [
    {
      method: ["PUT", "POST"],
      path: "/v1/acl/bootstrap",
      access: "anybody",
      changes: "when-done",
      handler: async (call) => {
        const service = aclOf(acl);
        return made(await service.bootstrap(optionalText((await call.body()) ?? {}, "BootstrapSecret")));
      },
    },
    {
      method: "GET",
      path: "/v1/acl/tokens",
      access: "management",
      handler: (call) => {
        aclOf(acl);
        const prefix = (call.query.text("prefix") ?? "").toLowerCase();
        const global = call.query.text("global") === undefined ? undefined : call.query.bool("global", false);
        return read({
          keys: ["acl"],
          coalesce: true,
          index: () => store.tableIndex("acl"),
          result: () => {
            const tokens = store.acl
              .tokens()
              .filter((t) => t.AccessorID.startsWith(prefix) && (global === undefined || t.Global === global));
            return { json: encodeJson(tokens.map((token) => tokenStub(token, store.acl))) };
          },
        });
      },
    },
    {
      method: ["PUT", "POST"],
      path: "/v1/acl/token",
      access: "management",
      handler: async (call) => {
        const service = aclOf(acl);
        const result = await service.createToken(tokenFromApi(await neededBody(call)));
        call.note({ token: result.token.AccessorID });
        return made(result);
      },
    },
    {
      method: "GET",
      path: "/v1/acl/token/self",
      access: "anybody",
      handler: ({ caller }) => {
        aclOf(acl);
        if (caller.identity.kind !== "token") throw denied();
        return tokenRead(caller.identity.accessor);
      },
    },
    {
      method: "GET",
      path: "/v1/acl/token/:accessor",
      access: "anybody",
      handler: (call) => {
        aclOf(acl);
        const isOwn = call.caller.identity.kind === "token" && call.caller.identity.accessor === accessorOf(call);
        if (!isOwn && !call.caller.acl.isManagement) throw denied();
        return tokenRead(accessorOf(call));
      },
    },
    {
      method: ["PUT", "POST"],
      path: "/v1/acl/token/:accessor",
      access: "management",
      handler: async (call) => {
        const token = await aclOf(acl).updateToken(accessorOf(call), tokenFromApi(await neededBody(call)));
        return answer(encodeJson(tokenObject(token, store.acl)), { index: token.ModifyIndex });
      },
    },
    {
      method: "DELETE",
      path: "/v1/acl/token/:accessor",
      access: "management",
      handler: async (call) => answer("", { index: await aclOf(acl).deleteToken(accessorOf(call)) }),
    },
  ];
};
