import { FunctionError } from "../go/errors.js";
import { type GoFunction, GoList, GoMap, type Value } from "../go/values.js";
import { define } from "./define.js";

export const listFunctions: ReadonlyMap<string, GoFunction> = new Map([
  ["in", define(["any", "any"], (list, value) => isIn(list, value))],
  ["contains", define(["any", "any"], (value, list) => isIn(list, value))],
  ["containsAll", define(["list", "any"], (values, list) => untyped(values).every((value) => isIn(list, value)))],
  ["containsAny", define(["list", "any"], (values, list) => untyped(values).some((value) => isIn(list, value)))],
  ["containsNone", define(["list", "any"], (values, list) => untyped(values).every((value) => !isIn(list, value)))],
  ["containsNotAll", define(["list", "any"], (values, list) => untyped(values).some((value) => !isIn(list, value)))],
  ["explodeMap", define(["map"], (map) => explode(map as GoMap))],
]);

/** Whether a list has the value, or a string the part. Values of different kinds are never the same. */
function isIn(list: Value, value: Value): boolean {
  if (typeof list === "string") return typeof value === "string" && list.includes(value);
  if (!(list instanceof GoList)) return false;
  return ["string", "bigint", "number"].includes(typeof value) && list.items.includes(value);
}

/** What was made by `split` has another type in Go, and these functions do not take it. */
function untyped(list: GoList): readonly Value[] {
  if (list.elements === "string") throw new FunctionError("wrong type for value; expected []interface {}; got []string");
  return list.items;
}

type Tree = Map<string, Value | Tree>;

/** Keys with slashes become maps within maps. */
function explode(map: GoMap): Value {
  const top: Tree = new Map();
  for (const [key, value] of map.sorted()) {
    const parts = key.split("/");
    const name = parts.pop() ?? "";
    let here = top;
    for (const part of parts) {
      const next = here.get(part) ?? new Map();
      if (!(next instanceof Map))
        throw new FunctionError(`explodeMap: not a map: ${JSON.stringify(key)}: ${JSON.stringify(part)} has a value already`);
      here.set(part, next);
      here = next;
    }
    if (name !== "") here.set(name, value);
  }
  return toValue(top);
}

const toValue = (tree: Value | Tree): Value =>
  tree instanceof Map ? new GoMap(new Map([...tree].map(([key, value]) => [key, toValue(value)] as const))) : tree;
