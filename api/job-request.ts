import { AllocdError } from "../agent/errors.js";
import type { FieldReader } from "../agent/model/field-reader.js";
import type { Call } from "./route.js";

/** @throws AllocdError 400 when there is no body. */
export async function neededBody(call: Call): Promise<Readonly<Record<string, unknown>>> {
  const body = await call.body();
  if (body === undefined) throw new AllocdError("invalid", "Failed to decode body: Request body is empty");
  return body;
}

/**
 * The job that the path names; a body that names one has to name the same.
 *
 * @throws InvalidField
 */
export function ofPath(call: Call, from: FieldReader): { readonly namespace: string; readonly id: string } {
  const id = call.params.id ?? "";
  const named = from.text("JobID");
  if (named !== "" && named !== id) throw from.invalid("JobID", `the path's ${JSON.stringify(id)}`);
  return { namespace: call.query.namespace, id };
}
