import { InvalidField } from "../agent/model/invalid-field.js";

type Body = Readonly<Record<string, unknown>>;

/** A member of a small request body by its name in any case, as Go's decoder reads it. Null is absent. */
function member(body: Body, name: string): unknown {
  const key = name in body ? name : Object.keys(body).find((other) => other.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : (body[key] ?? undefined);
}

/** @returns undefined when absent or empty. @throws InvalidField when it is no text. */
export function optionalText(body: Body, name: string): string | undefined {
  const value = member(body, name);
  if (value !== undefined && typeof value !== "string") throw new InvalidField(name, value, "a text");
  return value || undefined;
}

/** @throws InvalidField when it is neither true nor false. */
export function optionalBool(body: Body, name: string): boolean {
  const value = member(body, name);
  if (value !== undefined && typeof value !== "boolean") throw new InvalidField(name, value, "true or false");
  return value ?? false;
}

/** @returns undefined when absent. @throws InvalidField when it is no whole number of 0 or more. */
export function optionalIndex(body: Body, name: string): number | undefined {
  const value = member(body, name);
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidField(name, value, "a whole number of 0 or more");
  return value;
}
