import { AllocdError } from "../agent/errors.js";
import { checkUuid } from "../agent/model/uuid.js";
import type { Call } from "./route.js";

/** The `:id` of a path whose objects have UUIDs, in the spelling of the store. @throws AllocdError 400 when it is none. */
export function uuidOf(call: Call): string {
  return checkUuid(call.params.id ?? "");
}

/** @throws AllocdError 404 with the text. */
export function found<T>(value: T | undefined, text: string): T {
  if (value === undefined) throw new AllocdError("not-found", text);
  return value;
}
