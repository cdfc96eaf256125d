import type { Level } from "../../agent/acl/acl.js";
import type { NamespaceCapability } from "../../agent/acl/capabilities.js";

/**
 * What a route asks of its caller. Every route has one: without it, it does not compile. docs/security.md tells how to choose.
 *
 * - `public`: anybody, also with a token that does not exist.
 * - `anybody`: whoever gets in, if only as anonymous; the handler itself shows no more than `call.caller` may see.
 * - `management`: a management token.
 * - `node:read`, `agent:write`, ...: that level.
 * - `namespace:C`: capability C in the namespace of the query.
 * - `list:C`: the same, for a list: with `namespace=*` it is everybody's, and has what `call.visible()` lets through.
 * - `body:C`: the namespace is in the body, so the handler has to ask `call.caller.require(C, namespace)`. Whoever has C in
 *   no namespace is refused before the body is read.
 * - `alloc:C`, `eval:C`, `deployment:C`: in the namespace of the object of the path's `:id`, whatever the query says.
 */
export type Requirement =
  | "public"
  | "anybody"
  | "management"
  | `${"node" | "agent" | "operator" | "plugin"}:${Level}`
  | `${Where}:${NamespaceCapability}`;

type Where = "namespace" | "list" | "body" | "alloc" | "eval" | "deployment";

/** One requirement, or several of which one is enough. */
export type Access = Requirement | readonly [Requirement, ...Requirement[]];

export const requirementsOf = (access: Access): readonly Requirement[] => (typeof access === "string" ? [access] : access);
