import type { Acl } from "../../agent/acl/acl.js";
import type { NamespaceCapability } from "../../agent/acl/capabilities.js";
import { AllocdError } from "../../agent/errors.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { type Access, type Requirement, requirementsOf } from "./access.js";
import { denied } from "./caller.js";

/** What a request is about, as far as access to it depends on that. */
export interface Target {
  /** The route's path, with its variables unfilled. */
  readonly path: string;
  readonly id: string | undefined;
  /** Of the query; `*` is all. */
  readonly namespace: string;
}

/**
 * Lets a caller through who meets one of the requirements.
 *
 * Whoever may not see an object is answered as if it were not there: with 403 when they could see none of its kind, else
 * with the 404 of an unknown one. Source of the capabilities: reference behaviour §1.12.
 *
 * @throws AllocdError
 */
export function authorise(access: Access, acl: Acl, target: Target, store: StateReader): void {
  if (acl.isManagement) return;
  let refusal = denied();
  for (const requirement of requirementsOf(access)) {
    const answer = refusalOf(requirement, acl, target, store);
    if (answer === undefined) return;
    if (answer.status === 404) refusal = answer;
  }
  throw refusal;
}

/** @returns undefined when the requirement is met. */
function refusalOf(requirement: Requirement, acl: Acl, target: Target, store: StateReader): AllocdError | undefined {
  if (requirement === "public" || requirement === "anybody") return undefined;
  if (requirement === "management") return denied();
  const [kind, name] = requirement.split(":") as [string, string];
  const capability = name as NamespaceCapability;
  switch (kind) {
    case "node":
    case "agent":
    case "operator":
    case "plugin":
      return acl.allowsLevel(kind, name as "list" | "read" | "write") ? undefined : denied();
    case "list":
      return target.namespace === "*" || acl.allows(capability, target.namespace) ? undefined : denied();
    case "namespace":
      return acl.allows(capability, target.namespace) ? undefined : denied();
    case "body":
      return acl.allowsSomewhere(capability) ? undefined : denied();
    default:
      return objectRefusal(kind, capability, acl, target, store);
  }
}

function objectRefusal(kind: string, capability: NamespaceCapability, acl: Acl, target: Target, store: StateReader) {
  const id = (target.id ?? "").toLowerCase();
  const namespace = namespaceOf(kind, id, store);
  if (namespace !== undefined) {
    if (acl.allows(capability, namespace)) return undefined;
    if (acl.allows("read-job", namespace)) return denied();
  }
  if (!acl.allowsSomewhere(capability)) return denied();
  // What can be no id at all is the handler's to refuse.
  return id.length === 36 ? new AllocdError("not-found", unknownText(kind, id, target.path)) : undefined;
}

function namespaceOf(kind: string, id: string, store: StateReader): string | undefined {
  if (kind === "alloc") return store.alloc(id)?.Namespace;
  return (kind === "eval" ? store.eval(id) : store.deployment(id))?.Namespace;
}

/** As the handlers say it. Source: reference behaviour §1.2. */
function unknownText(kind: string, id: string, path: string): string {
  if (kind !== "alloc") return `${kind} not found`;
  if (path.startsWith("/v1/client")) return `Unknown allocation "${id}"`;
  return path.endsWith("}") ? "alloc not found" : "allocation not found";
}

/** Which namespaces' items a list may show, by the capability of its route. */
export function visibility(access: Access, acl: Acl): (namespace: string) => boolean {
  if (acl.isManagement) return () => true;
  const capabilities = requirementsOf(access)
    .filter((requirement) => /^(?:namespace|list|body):/.test(requirement))
    .map((requirement) => requirement.split(":")[1] as NamespaceCapability);
  // A route that asks for none shows by rules of its own.
  if (capabilities.length === 0) return () => true;
  return (namespace) => capabilities.some((capability) => acl.allows(capability, namespace));
}
