import { Evaluator, type Scope } from "./evaluate.js";
import { HclError } from "./expression.js";
import { isList, isMembers, type Members, numberOf, textOf, type Value } from "./functions.js";

const topLevel = ["job", "variable", "variables", "locals"];

/**
 * The job of a specification, all expressions worked out.
 *
 * @param tree what a parser made of the specification: a block is a list of its bodies, below its labels.
 * @param given the values of variables, as a parser made them of a file of values.
 * @throws HclError
 */
export function jobOf(tree: Members, given: Members): { readonly id: string; readonly body: Members } {
  const strange = Object.keys(tree).find((name) => !topLevel.includes(name));
  if (strange !== undefined) throw new HclError(`${strange}: want one of ${topLevel.join(", ")}`);
  const evaluator = new Evaluator(scopeOf(tree, given));
  const jobs = Object.entries(members(tree.job, "job"));
  const [first] = jobs;
  if (first === undefined || jobs.length !== 1) throw new HclError(`job: got ${jobs.length}, want exactly one`);
  const [id, bodies] = first;
  const body = evaluator.value(oneBody(bodies, `job["${id}"]`), `job["${id}"]`);
  return { id, body: members(body, "job") };
}

function scopeOf(tree: Members, given: Members): Scope {
  const literal = new Evaluator({ var: noReference("a variable's default"), local: noReference("a variable's default") });
  const variables = new Map<string, Value | undefined>();
  for (const [name, bodies] of Object.entries(members(tree.variable ?? {}, "variable"))) {
    const path = `variable["${name}"]`;
    const { default: fallback, type } = members(oneBody(bodies, path), path);
    const value = Object.hasOwn(given, name) ? given[name] : fallback;
    variables.set(name, value === undefined ? undefined : typed(literal.value(value, path), type, path));
  }
  for (const body of blocks(tree.variables)) {
    for (const [name, value] of Object.entries(members(body, "variables"))) {
      variables.set(name, literal.value(Object.hasOwn(given, name) ? (given[name] ?? null) : value, `variables.${name}`));
    }
  }
  const strange = Object.keys(given).find((name) => !variables.has(name));
  if (strange !== undefined) throw new HclError(`variable "${strange}" has a value, but the specification has no such variable`);

  const definitions = new Map(blocks(tree.locals).flatMap((body) => Object.entries(members(body, "locals"))));
  const known = new Map<string, Value>();
  const open = new Set<string>();
  const scope: Scope = {
    var: (name) => {
      if (!variables.has(name)) throw new HclError(`there is no variable "${name}"`);
      const value = variables.get(name);
      if (value === undefined) throw new HclError(`variable "${name}" has no value and no default`);
      return value;
    },
    local: (name) => {
      const value = known.get(name);
      if (value !== undefined) return value;
      const definition = definitions.get(name);
      if (definition === undefined) throw new HclError(`there is no local "${name}"`);
      if (open.has(name)) throw new HclError(`local "${name}" is made of itself`);
      open.add(name);
      const worked = new Evaluator(scope).value(definition, `locals.${name}`);
      open.delete(name);
      known.set(name, worked);
      return worked;
    },
  };
  return scope;
}

/** A variable's value in its declared type, as far as that is a simple one. */
function typed(value: Value, type: Value | undefined, path: string): Value {
  if (value === null) return value;
  switch (type) {
    case "${string}":
    case "string":
      return textOf(value, path);
    case "${number}":
    case "number":
      return numberOf(value, path);
    case "${bool}":
    case "bool":
      if (value === true || value === "true") return true;
      if (value === false || value === "false") return false;
      throw new HclError(`${path}: want true or false, got ${JSON.stringify(value)}`);
    default:
      return value;
  }
}

const noReference =
  (where: string) =>
  (name: string): never => {
    throw new HclError(`${where} can not refer to "${name}"`);
  };

function members(value: Value | undefined, path: string): Members {
  if (value !== undefined && isMembers(value)) return value;
  throw new HclError(`${path}: got ${value === undefined ? "nothing" : JSON.stringify(value).slice(0, 80)}, want a block`);
}

const blocks = (value: Value | undefined): readonly Value[] => (value === undefined ? [] : isList(value) ? value : [value]);

function oneBody(bodies: Value | undefined, path: string): Value {
  const [body, ...others] = blocks(bodies);
  if (body === undefined || others.length > 0)
    throw new HclError(`${path}: got ${others.length + (body === undefined ? 0 : 1)} blocks, want one`);
  return body;
}
