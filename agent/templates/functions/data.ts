import type { Choice, Dependency } from "../dependency.js";
import { FunctionError } from "../go/errors.js";
import { type GoFunction, GoList, GoMap, textOf, typeName, type Value } from "../go/values.js";
import { define, defineVariadic } from "./define.js";

export interface DataScope {
  readonly namespace: string;
  readonly region: string;
  /**
   * What is known of a dependency; undefined when that is nothing yet. It notes that the template needs it.
   *
   * @throws FunctionError when the template may not read it.
   */
  recall(dependency: Dependency): Value | undefined;
}

/** What changes while a task runs: variables, services, files. */
export const dataFunctions = (scope: DataScope): ReadonlyMap<string, GoFunction> =>
  new Map([
    ["file", define(["string"], (path) => (path === "" ? "" : (scope.recall({ kind: "file", path: textOf(path).trim() }) ?? "")))],
    [
      "nomadVar",
      define(["string"], (path) => (path === "" ? noItems : (scope.recall(variable(scope, "nomadVar", path, true)) ?? noItems))),
    ],
    [
      "nomadVarExists",
      define(["string"], (path) => path !== "" && (scope.recall(variable(scope, "nomadVarExists", path, false)) ?? null) !== null),
    ],
    ["nomadVarList", defineVariadic("string", (args) => scope.recall(variables(scope, "nomadVarList", args, false)) ?? nothing)],
    ["nomadVarListSafe", defineVariadic("string", (args) => scope.recall(variables(scope, "nomadVarListSafe", args, true)) ?? nothing)],
    ["nomadServices", defineVariadic("string", (args) => services(scope, args))],
    ["nomadService", defineVariadic("any", (args) => scope.recall(service(scope, args)) ?? nothing)],
  ]);

const nothing = new GoList([], "pointer");
const noItems = new GoMap(new Map());

/** `path`, `path@namespace` or `path@namespace.region`. */
function variable(scope: DataScope, name: string, given: string, waits: boolean): Dependency {
  const text = textOf(given)
    .trim()
    .replace(/^\/+|\/+$/g, "");
  const [, path, namespace, region] = /^([^@]+)(?:@([\w-]+))?(?:\.([\w-]+))?$/.exec(text) ?? [];
  // Without a namespace a dot is part of the path.
  const whole = namespace === undefined && region !== undefined ? text : path;
  if (whole === undefined) throw new FunctionError(`nomad.var.get: invalid format: ${JSON.stringify(text)}`);
  if (namespace !== undefined) checkRegion(scope, name, region);
  return { kind: "variable", namespace: namespace ?? scope.namespace, path: whole, waits };
}

function variables(scope: DataScope, name: string, args: readonly string[], waits: boolean): Dependency {
  if (args.length > 1) throw new FunctionError(`${name} takes either a single "prefix" parameter or none for all available variables`);
  const text = textOf(args[0] ?? "");
  const [, prefix, namespace, region] = /^\/?([^@]*)(?:@([\w-]+|\*)(?:\.([\w-]+))?)?$/.exec(text) ?? [];
  if (prefix === undefined) throw new FunctionError(`nomad.var.list: invalid format: ${JSON.stringify(text)}`);
  checkRegion(scope, name, region);
  return { kind: "variables", namespace: namespace ?? scope.namespace, prefix, waits };
}

function services(scope: DataScope, args: readonly string[]): Value {
  const text = textOf(args.join(""));
  const [whole, region] = /^(?:@([\w.-]+))?$/.exec(text) ?? [];
  if (whole === undefined) throw new FunctionError(`nomad.services: invalid format: ${JSON.stringify(text)}`);
  checkRegion(scope, "nomadServices", region);
  return scope.recall({ kind: "services" }) ?? nothing;
}

function service(scope: DataScope, args: readonly Value[]): Dependency {
  if (args.length !== 1 && args.length !== 3) throw new FunctionError("expected arguments <service> or <count> <key> <service>");
  const query = args.at(-1) ?? null;
  if (typeof query !== "string") throw new FunctionError(`expected string for <service> argument, got ${typeName(query)}`);
  const text = textOf(query);
  const [, tag = "", name, region] = /^(?:([\w=:.-]+)\.)?([\w-]+)(?:@([\w.-]+))?$/.exec(text) ?? [];
  if (name === undefined) throw new FunctionError(`nomad.service: invalid format: ${JSON.stringify(text)}`);
  checkRegion(scope, "nomadService", region);
  return { kind: "service", name, tag, choose: args.length === 3 ? choice(args) : null };
}

function choice([count = null, key = null]: readonly Value[]): Choice {
  if (typeof count !== "bigint") throw new FunctionError("expected integer for <count> argument");
  if (typeof key !== "string") throw new FunctionError("expected string for <key> argument");
  return { count: Number(count), key: textOf(key) };
}

function checkRegion({ region: own }: DataScope, name: string, region: string | undefined): void {
  if (region !== undefined && region !== own)
    throw new FunctionError(`${name}: got region ${JSON.stringify(region)}, want ${JSON.stringify(own)}`);
}
