import { createHash } from "node:crypto";
import type { AclLevel, AclRules, NamedRule } from "../model/acl.js";
import type { NamespaceCapability, VariableCapability } from "./capabilities.js";
import { NameRules } from "./glob.js";

export type Level = "list" | "read" | "write";
/** What has a level and no fine capabilities. */
export type Subject = "node" | "agent" | "operator" | "quota" | "plugin";

/** What a caller may do. Pure: it knows rules and no objects. */
export interface Acl {
  /** Equal for equal rules, so that what is encoded for one caller can be shared with those who may see the same. */
  readonly id: string;
  /** May do everything. */
  readonly isManagement: boolean;
  allows(capability: NamespaceCapability, namespace: string): boolean;
  /** True when there may be a namespace in which it is allowed. */
  allowsSomewhere(capability: NamespaceCapability): boolean;
  /** True when anything at all is allowed in the namespace. */
  sees(namespace: string): boolean;
  allowsLevel(subject: Subject, level: Level): boolean;
  allowsVariable(capability: VariableCapability, namespace: string, path: string): boolean;
  allowsHostVolume(capability: "mount-readonly" | "mount-readwrite", volume: string): boolean;
  allowsNodePool(capability: "read" | "write" | "delete", pool: string): boolean;
}

/** May do everything. */
export const managementAcl: Acl = {
  id: "management",
  isManagement: true,
  allows: () => true,
  allowsSomewhere: () => true,
  sees: () => true,
  allowsLevel: () => true,
  allowsVariable: () => true,
  allowsHostVolume: () => true,
  allowsNodePool: () => true,
};

const ranks: Readonly<Record<AclLevel, number>> = { list: 1, read: 2, write: 3, deny: 4 };
type Capabilities = ReadonlySet<string>;

/** What several policies allow together: the union of each name's rules, of which a `deny` leaves nothing. */
export function compileAcl(policies: readonly AclRules[]): Acl {
  return new RulesAcl(policies);
}

class RulesAcl implements Acl {
  readonly id: string;
  readonly isManagement = false;
  readonly #namespaces: NameRules<Capabilities>;
  readonly #variables: NameRules<NameRules<Capabilities>>;
  readonly #hostVolumes: NameRules<Capabilities>;
  readonly #nodePools: NameRules<Capabilities>;
  readonly #levels = new Map<Subject, AclLevel>();

  constructor(policies: readonly AclRules[]) {
    this.id = createHash("sha256").update(JSON.stringify(policies)).digest("base64url");
    const namespaces = policies.flatMap((rules) => rules.namespace);
    this.#namespaces = new NameRules(united(namespaces));
    const denied = new Set(namespaces.filter(({ capabilities }) => capabilities.includes("deny")).map(({ name }) => name));
    const paths = new Map<string, NamedRule[]>();
    for (const { name, variables } of namespaces) {
      // A namespace that is denied is closed as a whole, whatever is said of its variables.
      paths.set(name, denied.has(name) ? [] : [...(paths.get(name) ?? []), ...variables]);
    }
    this.#variables = new NameRules(new Map([...paths].map(([name, rules]) => [name, new NameRules(united(rules))])));
    this.#hostVolumes = new NameRules(united(policies.flatMap((rules) => rules.host_volume)));
    this.#nodePools = new NameRules(united(policies.flatMap((rules) => rules.node_pool)));
    for (const subject of ["node", "agent", "operator", "quota", "plugin"] as const) {
      const levels = policies.map((rules) => rules[subject]).filter((level) => level !== undefined);
      const [highest] = levels.sort((a, b) => ranks[b] - ranks[a]);
      if (highest !== undefined) this.#levels.set(subject, highest);
    }
  }

  allows(capability: NamespaceCapability, namespace: string): boolean {
    return this.#namespaces.find(namespace)?.has(capability) ?? false;
  }

  allowsSomewhere(capability: NamespaceCapability): boolean {
    for (const capabilities of this.#namespaces.all()) if (capabilities.has(capability)) return true;
    return false;
  }

  sees(namespace: string): boolean {
    return (this.#namespaces.find(namespace)?.size ?? 0) > 0;
  }

  allowsLevel(subject: Subject, level: Level): boolean {
    const given = this.#levels.get(subject) ?? "deny";
    return given !== "deny" && ranks[given] >= ranks[level];
  }

  allowsVariable(capability: VariableCapability, namespace: string, path: string): boolean {
    return this.#variables.find(namespace)?.find(path)?.has(capability) ?? false;
  }

  allowsHostVolume(capability: "mount-readonly" | "mount-readwrite", volume: string): boolean {
    return this.#hostVolumes.find(volume)?.has(capability) ?? false;
  }

  allowsNodePool(capability: "read" | "write" | "delete", pool: string): boolean {
    return this.#nodePools.find(pool)?.has(capability) ?? false;
  }
}

/** Rules of one name together. Where one of them is `deny` nothing is left. */
function united(rules: readonly NamedRule[]): Map<string, Capabilities> {
  const all = new Map<string, Set<string>>();
  for (const { name, capabilities } of rules) all.set(name, new Set([...(all.get(name) ?? []), ...capabilities]));
  for (const capabilities of all.values()) if (capabilities.has("deny")) capabilities.clear();
  return all;
}
