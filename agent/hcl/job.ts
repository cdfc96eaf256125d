import { parseGoDuration } from "../model/go-duration.js";
import { InvalidField } from "../model/invalid-field.js";
import { nearest } from "../model/nearest.js";
import { isList, isMembers, type Members, type Value } from "./functions.js";
import { type Attribute, type BlockRule, type BodyRule, jobRule } from "./schema.js";

type Output = Record<string, unknown>;

/**
 * A job in the words of the API, of what its specification says. Only what was said is in it.
 *
 * @throws InvalidField that names the word and what was given.
 */
export function jobFromHcl(id: string, body: Members): Output {
  const job = readBody(body, jobRule, `job["${id}"]`);
  return { ...job, ID: job.ID ?? id, Name: job.Name ?? id };
}

function readBody(body: Members, rule: BodyRule, path: string): Output {
  const out: Output = {};
  for (const [word, value] of Object.entries(body)) {
    const at = `${path}.${word}`;
    const attribute = rule.attributes[word];
    const block = rule.blocks?.[word];
    if (attribute && Object.hasOwn(rule.attributes, word)) out[attribute[0]] = readAttribute(value, attribute, at);
    else if (block && Object.hasOwn(rule.blocks ?? {}, word)) Object.assign(out, readBlocks(value, block, at));
    else if (rule.operators?.includes(word)) Object.assign(out, readOperator(word, value, at));
    else throw unknown(word, rule, path);
  }
  return out;
}

function readBlocks(value: Value, rule: BlockRule, path: string): Output {
  switch (rule.form) {
    case "one": {
      const [body, ...others] = bodies(value, path);
      if (body === undefined || others.length > 0) throw new InvalidField(path, `${others.length + 1} blocks`, "one");
      return { [rule.to]: readBody(body, rule.body, path) };
    }
    case "many":
      return ofMany(
        rule.to,
        bodies(value, path).map((body, i) => readBody(body, rule.body, `${path}[${i}]`)),
      );
    case "named":
      return ofNamed(rule, labelled(value, rule, path));
    case "keyed":
      return { [rule.to]: Object.fromEntries(labelled(value, rule, path).map(([label, out]) => [label, { Name: label, ...out }])) };
  }
}

/** A task has one identity without a name and any number with one. */
function ofMany(to: string, list: readonly Output[]): Output {
  if (to !== "Identities") return { [to]: list };
  const named = list.filter(({ Name }) => Name !== undefined && Name !== "" && Name !== "default");
  const [own] = list.filter((identity) => !named.includes(identity));
  return { ...(own ? { Identity: own } : {}), ...(named.length > 0 ? { Identities: named } : {}) };
}

/** Ports are told apart by whether the host's port is given. */
function ofNamed(rule: BlockRule, list: readonly (readonly [string, Output])[]): Output {
  if (rule.to === "SpreadTarget") return { SpreadTarget: list.map(([label, out]) => ({ Value: label, ...out })) };
  if (rule.to !== "Ports") return { [rule.to]: list.map(([label, out]) => ({ Name: label, ...out })) };
  const ports = list.map(([label, out]): Output => ({ Label: label, ...out }));
  const fixed = ports.filter(({ Value }) => Value !== undefined && Value !== 0);
  const dynamic = ports.filter((port) => !fixed.includes(port));
  return { ...(fixed.length > 0 ? { ReservedPorts: fixed } : {}), ...(dynamic.length > 0 ? { DynamicPorts: dynamic } : {}) };
}

function labelled(value: Value, rule: BlockRule, path: string): readonly (readonly [string, Output])[] {
  if (!isMembers(value)) throw new InvalidField(path, value, "a block with a label");
  return Object.entries(value).map(([label, given]) => {
    const at = `${path}["${label}"]`;
    const [body, ...others] = bodies(given, at);
    if (body === undefined || others.length > 0) throw new InvalidField(at, `${others.length + 1} blocks`, "one block of each label");
    return [label, readBody(body, rule.body, at)] as const;
  });
}

/** A block is a list of its bodies; an attribute that is an object is taken as well. */
function bodies(value: Value, path: string): readonly Members[] {
  const list = isList(value) ? value : [value];
  return list.map((body) => {
    if (!isMembers(body)) throw new InvalidField(path, body, "a block");
    return body;
  });
}

function readAttribute(value: Value, [, kind]: Attribute, path: string): unknown {
  const wrong = (want: string): InvalidField => new InvalidField(path, value, want);
  switch (kind) {
    case "text":
      if (typeof value === "string") return value;
      if (typeof value === "number" || typeof value === "boolean") return String(value);
      throw wrong("a text");
    case "number": {
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
      if (typeof number === "number" && Number.isFinite(number)) return number;
      throw wrong("a number");
    }
    case "flag":
      if (value === true || value === "true") return true;
      if (value === false || value === "false") return false;
      throw wrong("true or false");
    case "duration":
      return readDuration(value, path);
    case "texts":
      if (isList(value)) return value.map((item, i) => readAttribute(item, ["", "text"], `${path}[${i}]`));
      throw wrong("a list of texts");
    case "map":
      return Object.fromEntries(
        Object.entries(unlisted(value, path)).map(([key, item]) => [key, readAttribute(item, ["", "text"], `${path}.${key}`)]),
      );
    case "any":
      return isList(value) ? unlisted(value, path) : value;
  }
}

function readDuration(value: Value, path: string): number {
  if (typeof value === "number") return value;
  try {
    if (typeof value === "string") return parseGoDuration(value);
  } catch {
    // Said below.
  }
  throw new InvalidField(path, value, 'a duration such as "30s"');
}

/** A free block may be written in several parts. */
function unlisted(value: Value, path: string): Members {
  return Object.fromEntries(bodies(value, path).flatMap((body) => Object.entries(body)));
}

/** `distinct_hosts = true` is the operator without a value. */
function readOperator(word: string, value: Value, path: string): Output {
  if (value === false) return {};
  if (word === "distinct_property") return { Operand: word, LTarget: readAttribute(value, ["", "text"], path) };
  return { Operand: word, ...(value === true ? {} : { RTarget: readAttribute(value, ["", "text"], path) }) };
}

function unknown(word: string, rule: BodyRule, path: string): InvalidField {
  const words = [...Object.keys(rule.attributes), ...Object.keys(rule.blocks ?? {}), ...(rule.operators ?? [])];
  const meant = nearest(word, words);
  return new InvalidField(
    path,
    word,
    meant === undefined ? `a word that is supported here: ${words.sort().join(", ")}` : `"${meant}" or another word that is supported here`,
  );
}
