import type { IncomingMessage } from "node:http";
import { managementAcl } from "../../agent/acl/acl.js";
import type { Access } from "./access.js";
import { type Authority, addressOf } from "./authority.js";
import { Caller } from "./caller.js";

/** @throws AllocdError 403 or 429 for who is none, unless the access is public. */
export type CallerOf = (request: IncomingMessage, access: Access) => Caller;

/** What is public is answered to whoever comes in, with whatever token: a probe of health has none that counts. */
export const callersOf =
  (authority: Authority): CallerOf =>
  (request, access) => {
    if (access !== "public") return authority.callerOf(request);
    const identity = { kind: "anonymous", accessor: "", name: "", acl: managementAcl, expires: null } as const;
    return new Caller(identity, addressOf(request), { again: () => identity, guard: () => () => {} });
  };
