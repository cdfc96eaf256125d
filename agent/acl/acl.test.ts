import fc from "fast-check";
import type { AclRules } from "../model/acl.js";
import { compileAcl, managementAcl } from "./acl.js";
import { NAMESPACE_CAPABILITIES, type NamespaceCapability } from "./capabilities.js";
import { rulesFrom } from "./rules.js";

const compiled = (...documents: object[]) => compileAcl(documents.map(rulesFrom));

test("nothing said is nothing allowed", () => {
  const acl = compiled();
  expect([
    acl.isManagement,
    acl.allows("read-job", "default"),
    acl.allowsSomewhere("read-job"),
    acl.sees("default"),
    acl.allowsLevel("node", "read"),
    acl.allowsVariable("read", "default", "a"),
    acl.allowsHostVolume("mount-readonly", "v"),
    acl.allowsNodePool("read", "p"),
  ]).toEqual(Array(8).fill(false));
});

test("the most specific rule is the only one that counts for a namespace", () => {
  const acl = compiled({ namespace: { "*": { policy: "write" }, "prod-*": { policy: "read" }, "prod-db": { policy: "deny" } } });
  expect(["dev", "prod-web", "prod-db"].map((name) => [acl.allows("submit-job", name), acl.allows("read-job", name)])).toEqual([
    [true, true],
    [false, true],
    [false, false],
  ]);
  expect([acl.sees("prod-web"), acl.sees("prod-db")]).toEqual([true, false]);
});

test("policies of one name add up, and deny in one of them wins", () => {
  const both = compiled({ namespace: { n: { capabilities: ["read-job"] } } }, { namespace: { n: { capabilities: ["read-fs"] } } });
  expect([both.allows("read-job", "n"), both.allows("read-fs", "n")]).toEqual([true, true]);
  const denied = compiled({ namespace: { n: { policy: "write" } } }, { namespace: { n: { policy: "deny" } } });
  expect([denied.allows("read-job", "n"), denied.allowsSomewhere("read-job")]).toEqual([false, false]);
});

test("levels: write reads, read does not write, deny wins, plugins have a level below read", () => {
  const acl = compiled(
    { node: { policy: "write" }, agent: { policy: "read" }, plugin: { policy: "list" } },
    { operator: { policy: "write" } },
  );
  expect([acl.allowsLevel("node", "read"), acl.allowsLevel("node", "write")]).toEqual([true, true]);
  expect([acl.allowsLevel("agent", "read"), acl.allowsLevel("agent", "write")]).toEqual([true, false]);
  expect([acl.allowsLevel("plugin", "list"), acl.allowsLevel("plugin", "read")]).toEqual([true, false]);
  expect(compiled({ node: { policy: "write" } }, { node: { policy: "deny" } }).allowsLevel("node", "read")).toBe(false);
});

test("variables follow the rule of their namespace and then their path, and a namespace that is denied has none", () => {
  const path = { "*": { capabilities: ["list"] }, "app/*": { capabilities: ["read"] }, "app/secret": { capabilities: ["deny"] } };
  const acl = compiled({ namespace: { n: { variables: { path } }, other: { policy: "write" } } });
  expect([
    acl.allowsVariable("list", "n", "x"),
    acl.allowsVariable("read", "n", "x"),
    acl.allowsVariable("read", "n", "app/a"),
    acl.allowsVariable("list", "n", "app/secret"),
    acl.allowsVariable("read", "other", "app/a"),
  ]).toEqual([true, false, true, false, false]);
  const denied = compiled({ namespace: { n: { variables: { path } } } }, { namespace: { n: { policy: "deny" } } });
  expect(denied.allowsVariable("read", "n", "app/a")).toBe(false);
});

test("host volumes and node pools", () => {
  const acl = compiled({ host_volume: { "db-*": { policy: "read" } }, node_pool: { gpu: { capabilities: ["write"] } } });
  expect([acl.allowsHostVolume("mount-readonly", "db-1"), acl.allowsHostVolume("mount-readwrite", "db-1")]).toEqual([true, false]);
  expect([acl.allowsNodePool("write", "gpu"), acl.allowsNodePool("delete", "gpu")]).toEqual([true, false]);
});

test("equal rules have equal ids, others have others", () => {
  expect(compiled({ node: { policy: "read" } }).id).toBe(compiled({ node: { policy: "read" } }).id);
  expect(compiled({ node: { policy: "read" } }).id).not.toBe(compiled({ node: { policy: "write" } }).id);
});

test("management may do everything", () => {
  expect([
    managementAcl.isManagement,
    managementAcl.allows("alloc-node-exec", "any"),
    managementAcl.allowsLevel("operator", "write"),
  ]).toEqual([true, true, true]);
});

const capability = fc.constantFrom(...NAMESPACE_CAPABILITIES);
const namespace = fc.constantFrom("default", "prod-1", "prod-2", "*", "prod-*");
const rules: fc.Arbitrary<AclRules> = fc
  .array(fc.record({ name: namespace, capabilities: fc.array(capability, { maxLength: 4 }) }), { maxLength: 4 })
  .map((all) => ({ namespace: all.map((rule) => ({ ...rule, variables: [] })), node_pool: [], host_volume: [] }));
const real = fc.constantFrom("default", "prod-1", "prod-3", "else");

test("what nobody has given is never allowed", () => {
  fc.assert(
    fc.property(fc.array(rules, { maxLength: 3 }), real, capability, (policies, of, wanted) => {
      const given = policies.some((policy) => policy.namespace.some(({ capabilities }) => capabilities.includes(wanted)));
      if (compileAcl(policies).allows(wanted, of)) expect(given).toBe(true);
      expect(compileAcl(policies).allows("deny", of)).toBe(false);
    }),
  );
});

test("the order of policies does not matter, and what is allowed in a namespace is allowed somewhere", () => {
  fc.assert(
    fc.property(fc.array(rules, { maxLength: 3 }), real, capability, (policies, of, wanted) => {
      const [forth, back] = [compileAcl(policies), compileAcl([...policies].reverse())];
      expect(back.allows(wanted, of)).toBe(forth.allows(wanted, of));
      if (forth.allows(wanted, of)) expect([forth.allowsSomewhere(wanted), forth.sees(of)]).toEqual([true, true]);
    }),
  );
});

test("one more deny of the rule that counts takes everything of it away", () => {
  fc.assert(
    fc.property(fc.array(rules, { maxLength: 3 }), real, capability, (policies, of, wanted) => {
      const closed: AclRules = { namespace: [{ name: of, capabilities: ["deny"], variables: [] }], node_pool: [], host_volume: [] };
      expect(compileAcl([...policies, closed]).allows(wanted as NamespaceCapability, of)).toBe(false);
    }),
  );
});
