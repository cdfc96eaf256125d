import type { UnixNano } from "./units.js";

/** What tokens of a policy may do. */
export interface AclPolicy {
  readonly Name: string;
  readonly Description: string;
  /** As it was given, in HCL or JSON. */
  readonly Rules: string;
  /** The rules as they were understood. */
  readonly RulesJSON: AclRules;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** A name for several policies. */
export interface AclRole {
  readonly ID: string;
  readonly Name: string;
  readonly Description: string;
  /** Names of policies. */
  readonly Policies: readonly string[];
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export const TOKEN_TYPES = ["client", "management"] as const;
export type AclTokenType = (typeof TOKEN_TYPES)[number];

/** A token, without its secret: nothing that is stored gives that back. */
export interface AclToken {
  readonly AccessorID: string;
  /** SHA-256 of the secret, in hex. */
  readonly SecretHash: string;
  readonly Name: string;
  readonly Type: AclTokenType;
  readonly Policies: readonly string[];
  /** Ids of roles. */
  readonly Roles: readonly string[];
  readonly Global: boolean;
  readonly CreateTime: UnixNano;
  /** Null: it does not expire. */
  readonly ExpirationTime: UnixNano | null;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** Coarse levels of what has no fine capabilities. */
export type AclLevel = "deny" | "list" | "read" | "write";

/** Capabilities of a pattern of names: namespaces, host volumes, node pools, paths of variables. */
export interface NamedRule {
  readonly name: string;
  readonly capabilities: readonly string[];
}

export interface NamespaceRule extends NamedRule {
  readonly variables: readonly NamedRule[];
}

/** One policy's rules, with coarse policies written out as capabilities. Absent is nothing said. */
export interface AclRules {
  readonly namespace: readonly NamespaceRule[];
  readonly node_pool: readonly NamedRule[];
  readonly host_volume: readonly NamedRule[];
  readonly node?: AclLevel;
  readonly agent?: AclLevel;
  readonly operator?: AclLevel;
  readonly quota?: AclLevel;
  readonly plugin?: AclLevel;
}

/** The policy of callers without a token. */
export const ANONYMOUS_POLICY = "anonymous";
