import type { AclLevel, AclRules, NamedRule, NamespaceRule } from "../model/acl.js";
import { describe, InvalidField } from "../model/invalid-field.js";
import { nearest } from "../model/nearest.js";
import { hostVolumeVocabulary, namespaceVocabulary, nodePoolVocabulary, type Vocabulary, variableVocabulary } from "./capabilities.js";

const levelKinds = {
  node: "deny read write",
  agent: "deny read write",
  operator: "deny read write",
  quota: "deny read write",
  plugin: "deny list read write",
} as const;
type LevelKind = keyof typeof levelKinds;

const kinds = ["namespace", "node_pool", "host_volume", ...Object.keys(levelKinds)];
const namespaceName = /^[a-zA-Z0-9*-]{1,128}$/;
const poolName = /^[a-zA-Z0-9_*-]{1,128}$/;
const variablePath = /^[^\0]{1,256}$/;

/**
 * Reads the rules of a policy out of what HCL or JSON came to: blocks as objects, or as lists of objects where one may be
 * there several times.
 *
 * @throws InvalidField that names the rule, such as `Rules.namespace["default"].policy`.
 */
export function rulesFrom(document: unknown): AclRules {
  const blocks = merged(document, "Rules");
  known(blocks, kinds, "Rules");
  const levels = (Object.keys(levelKinds) as LevelKind[])
    .filter((kind) => blocks[kind] !== undefined)
    .map((kind) => [kind, levelOf(kind, blocks[kind])] as const);
  return {
    namespace: named(blocks.namespace, "Rules.namespace", namespaceName).map(([name, body, at]) => namespaceRule(name, body, at)),
    node_pool: named(blocks.node_pool, "Rules.node_pool", poolName).map(([name, body, at]) =>
      namedRule(name, body, at, nodePoolVocabulary),
    ),
    host_volume: named(blocks.host_volume, "Rules.host_volume", namespaceName).map(([name, body, at]) =>
      namedRule(name, body, at, hostVolumeVocabulary),
    ),
    ...Object.fromEntries(levels),
  };
}

type Block = Readonly<Record<string, unknown>>;

function levelOf(kind: LevelKind, value: unknown): AclLevel {
  const at = `Rules.${kind}`;
  const block = merged(value, at);
  // Of the operator's own fine capabilities none is for anything that is here.
  known(block, kind === "operator" ? ["policy", "capabilities"] : ["policy"], at);
  const accepted: readonly string[] = levelKinds[kind].split(" ");
  if (typeof block.policy !== "string" || !accepted.includes(block.policy))
    throw new InvalidField(`${at}.policy`, block.policy, `one of ${accepted.join(", ")}`);
  return block.policy as AclLevel;
}

function namespaceRule(name: string, body: Block, at: string): NamespaceRule {
  const { variables, ...rest } = body;
  const block = variables === undefined ? {} : merged(variables, `${at}.variables`);
  known(block, ["path"], `${at}.variables`);
  const paths = named(block.path, `${at}.variables.path`, variablePath);
  return {
    ...namedRule(name, rest, at, namespaceVocabulary),
    variables: paths.map(([path, inner, place]) => namedRule(path, inner, place, variableVocabulary)),
  };
}

function namedRule(name: string, body: Block, at: string, words: Vocabulary): NamedRule {
  const coarse = Object.keys(words.policies);
  known(body, coarse.length > 0 ? ["policy", "capabilities"] : ["capabilities"], at);
  const { policy = "", capabilities = [] } = body;
  const all = new Set<string>();
  if (policy !== "") {
    if (typeof policy !== "string" || !coarse.includes(policy))
      throw new InvalidField(`${at}.policy`, policy, `one of ${coarse.join(", ")}`);
    for (const capability of words.policies[policy] ?? []) all.add(capability);
  }
  if (!Array.isArray(capabilities)) throw new InvalidField(`${at}.capabilities`, capabilities, "a list of strings");
  for (const [i, capability] of (capabilities as unknown[]).entries()) {
    if (typeof capability !== "string" || !words.capabilities.includes(capability))
      throw new InvalidField(`${at}.capabilities[${i}]`, capability, wanted(capability, words.capabilities));
    all.add(capability);
  }
  for (const capability of [...all]) for (const implied of words.implied[capability] ?? []) all.add(implied);
  return { name, capabilities: all.has("deny") ? ["deny"] : [...all].sort() };
}

/** Blocks with a name, one an entry: a name that is there twice is two. */
function named(value: unknown, at: string, pattern: RegExp): (readonly [name: string, body: Block, at: string])[] {
  if (value === undefined) return [];
  return [value].flat().flatMap((group) =>
    Object.entries(objectOf(group, at)).flatMap(([name, bodies]) => {
      const place = `${at}[${describe(name)}]`;
      if (!pattern.test(name))
        throw new InvalidField(place, name, "a name of at most 128 letters, digits and hyphens; * stands for anything");
      return [bodies].flat().map((body: unknown) => [name, objectOf(body, place), place] as const);
    }),
  );
}

/** One block; of a setting that several blocks of one kind have the last counts. */
const merged = (value: unknown, at: string): Block => {
  if (typeof value !== "object" || value === null) throw new InvalidField(at, value, "a block");
  if (!Array.isArray(value)) return value as Block;
  return Object.assign({}, ...value.map((part: unknown) => objectOf(part, at)));
};

function objectOf(value: unknown, at: string): Block {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new InvalidField(at, value, "a block");
  return value as Block;
}

function known(block: Block, names: readonly string[], at: string): void {
  for (const name of Object.keys(block))
    if (!names.includes(name)) throw new InvalidField(`${at}.${name}`, block[name], wanted(name, names));
}

function wanted(given: unknown, names: readonly string[]): string {
  const close = typeof given === "string" ? nearest(given, names) : undefined;
  return close === undefined ? `one of ${names.join(", ")}` : `one of the known words: did you mean ${close}?`;
}
