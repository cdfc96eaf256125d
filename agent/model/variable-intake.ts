import { FieldReader } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { VariableItems } from "./variable.js";

/** Bytes of all names and values. */
const maxBytes = 65_536;
const validPath = /^[a-zA-Z0-9\-_~/]{1,128}$/;
const reserved = 'nomad/jobs, nomad/job-templates/NAME or paths below nomad/jobs: all else below "nomad" is reserved';

/**
 * Checks where a variable may be. Source: the reference's rules for paths.
 *
 * @throws InvalidField
 */
export function checkVariablePath(path: string): void {
  if (!validPath.test(path)) throw new InvalidField("Path", path, "1 to 128 letters, digits and characters of -_~/");
  const [top, kind, ...rest] = path.split("/");
  if (top !== "nomad" || kind === "jobs") return;
  if (kind !== "job-templates" || rest.length !== 1) throw new InvalidField("Path", path, reserved);
}

/**
 * What a variable is to hold.
 *
 * @param body what a caller sent; its `Path` and `Namespace` have to be those of the request, or absent.
 * @throws InvalidField
 */
export function readVariableItems(body: unknown, at: { readonly namespace: string; readonly path: string }): VariableItems {
  const from = new FieldReader(body, "Variable");
  const { namespace, path } = at;
  if ((from.text("Path") || path) !== path) throw from.invalid("Path", `the request's ${JSON.stringify(path)}`);
  if ((from.text("Namespace") || namespace) !== namespace) throw from.invalid("Namespace", `the request's ${JSON.stringify(namespace)}`);
  if (from.raw("Lock") !== undefined) throw from.invalid("Lock", "none: locks on variables are not supported");
  const items = from.raw("Items");
  if (typeof items !== "object" || items === null || Array.isArray(items) || Object.keys(items).length === 0)
    throw from.invalid("Items", "an object with at least one string");
  let size = 0;
  for (const [name, value] of Object.entries(items)) {
    // What an item holds is nobody's business but its reader's, so no error shows it.
    if (typeof value !== "string") throw new InvalidField(`${from.at("Items")}[${JSON.stringify(name)}]`, kindOf(value), "a string");
    if (name === "") throw new InvalidField(`${from.at("Items")}[""]`, "an empty name", "a name");
    size += byteLength(name) + byteLength(value);
  }
  if (size > maxBytes) throw new InvalidField(from.at("Items"), `${size} bytes`, `at most ${maxBytes} bytes in all names and values`);
  return items as VariableItems;
}

const kindOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "a list" : typeof value);

const byteLength = (text: string): number => new TextEncoder().encode(text).length;
