import { FunctionError } from "./errors.js";
import { formatG } from "./floats.js";
import { GoList, GoMap, GoSequence, GoStruct, typeName, type Value } from "./values.js";

/** What an action writes for a value that is not there. */
export const noValue = "<no value>";

/** The value as `%v` writes it. @throws FunctionError for what Go would write an address of. */
export function print(value: Value): string {
  if (value === null) return "<nil>";
  if (typeof value === "string") return value;
  if (typeof value === "number") return formatG(value);
  if (value instanceof GoList) {
    // Go writes the addresses of what the list points at.
    if (value.elements === "pointer" && value.items.length > 0)
      throw new FunctionError(`a list of ${typeName(value.items[0] ?? null)} can not be printed`);
    return `[${value.items.map(print).join(" ")}]`;
  }
  if (value instanceof GoMap)
    return `map[${value
      .sorted()
      .map(([key, item]) => `${key}:${print(item)}`)
      .join(" ")}]`;
  if (value instanceof GoStruct) return value.text ?? `{${[...value.fields.values()].map(print).join(" ")}}`;
  if (value instanceof GoSequence) throw new FunctionError("a loop can not be printed, only ranged over");
  return String(value);
}

/** As `print` does it: a space between two of which neither is a string. */
export function printAll(values: readonly Value[]): string {
  return values
    .map((value, i) => {
      const before = values[i - 1];
      const apart = i > 0 && typeof value !== "string" && typeof before !== "string";
      return `${apart ? " " : ""}${print(value)}`;
    })
    .join("");
}

export const printLine = (values: readonly Value[]): string => `${values.map(print).join(" ")}\n`;
