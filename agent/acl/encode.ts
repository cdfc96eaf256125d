import { createHash } from "node:crypto";
import type { AclPolicy, AclRole, AclRules, AclToken, NamedRule } from "../model/acl.js";
import { encodeJson } from "../model/json.js";
import { formatRfc3339 } from "../model/rfc3339.js";
import type { AclReader } from "../store/acl-table.js";

/*
 * Policies, roles and tokens as the API says them. Source: the documentation's "ACL Policies", "ACL Roles", "ACL Tokens".
 */

/** Tells two versions apart, and nothing of a secret. */
const digest = (of: unknown): string => createHash("sha256").update(encodeJson(of)).digest("base64");

export function policyStub({ Name, Description, Rules, CreateIndex, ModifyIndex }: AclPolicy): object {
  return { Name, Description, Hash: digest([Name, Description, Rules]), CreateIndex, ModifyIndex };
}

export const policyObject = (policy: AclPolicy): object => ({
  ...policyStub(policy),
  Rules: policy.Rules,
  RulesJSON: rulesObject(policy.RulesJSON),
  JobACL: null,
});

function rulesObject(rules: AclRules): object {
  const named = (all: readonly NamedRule[]) =>
    all.map(({ name, capabilities }) => ({ Name: name, Policy: "", Capabilities: capabilities }));
  const level = (policy: string | undefined) => (policy === undefined ? null : { Policy: policy });
  return {
    Namespaces: rules.namespace.map(({ name, capabilities, variables }) => ({
      Name: name,
      Policy: "",
      Capabilities: capabilities,
      Variables:
        variables.length === 0 ? null : { Paths: variables.map((path) => ({ PathSpec: path.name, Capabilities: path.capabilities })) },
    })),
    NodePools: named(rules.node_pool),
    HostVolumes: named(rules.host_volume),
    Agent: level(rules.agent),
    Node: level(rules.node),
    Operator: level(rules.operator),
    Quota: level(rules.quota),
    Plugin: level(rules.plugin),
  };
}

export function roleObject({ ID, Name, Description, Policies, CreateIndex, ModifyIndex }: AclRole): object {
  return {
    ID,
    Name,
    Description,
    Policies: Policies.map((policy) => ({ Name: policy })),
    Hash: digest([Name, Description, Policies]),
    CreateIndex,
    ModifyIndex,
  };
}

/** @param roles where the names of the token's roles are. */
export function tokenStub(token: AclToken, roles: Pick<AclReader, "role">): object {
  const { AccessorID, Name, Type, Policies, Global, CreateTime, ExpirationTime, CreateIndex, ModifyIndex } = token;
  const links = token.Roles.map((id) => ({ ID: id, Name: roles.role(id)?.Name ?? "" })).filter(({ Name: name }) => name !== "");
  return {
    AccessorID,
    Name,
    Type,
    Policies: Policies.length === 0 ? null : Policies,
    Roles: links.length === 0 ? null : links,
    Global,
    Hash: digest([Name, Type, Policies, token.Roles, Global]),
    CreateTime: formatRfc3339(CreateTime),
    ExpirationTime: ExpirationTime === null ? null : formatRfc3339(ExpirationTime),
    CreateIndex,
    ModifyIndex,
  };
}

/** @param secret empty but when the token was made just now: it is told once. */
export const tokenObject = (token: AclToken, roles: Pick<AclReader, "role">, secret = ""): object => ({
  ...tokenStub(token, roles),
  SecretID: secret,
  ExpirationTTL: "",
});
