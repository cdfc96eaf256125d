import { type AclTokenType, TOKEN_TYPES } from "../model/acl.js";
import { FieldReader, readText } from "../model/field-reader.js";
import { parseGoDuration } from "../model/go-duration.js";
import { InvalidField } from "../model/invalid-field.js";
import type { UnixNano } from "../model/units.js";

const name = /^[a-zA-Z0-9-]{1,128}$/;
const maxName = 256;
const maxDescription = 256;
/** Policies and roles of one token, policies of one role. */
const maxLinks = 256;

export const isPolicyName = (text: string): boolean => name.test(text);

export interface PolicyInput {
  readonly Name: string;
  readonly Description: string;
  readonly Rules: string;
}

/** @throws InvalidField */
export function policyFromApi(input: unknown, pathName: string): PolicyInput {
  const from = new FieldReader(input, "Policy");
  const Name = from.text("Name", pathName) || pathName;
  if (Name !== pathName) throw from.invalid("Name", `the path's ${JSON.stringify(pathName)}`);
  if (!name.test(Name)) throw new InvalidField("Policy.Name", Name, "at most 128 letters, digits and hyphens");
  return { Name, Description: description(from), Rules: from.text("Rules") };
}

/** A link to a role, by either. */
export interface RoleLink {
  readonly ID: string;
  readonly Name: string;
}

export interface RoleInput {
  readonly ID: string;
  readonly Name: string;
  readonly Description: string;
  readonly Policies: readonly string[];
}

/** @throws InvalidField */
export function roleFromApi(input: unknown): RoleInput {
  const from = new FieldReader(input, "Role");
  const Name = from.needed("Name");
  if (!name.test(Name)) throw from.invalid("Name", "at most 128 letters, digits and hyphens");
  const Policies = links(from, "Policies", (value, at) => new FieldReader(value, at).needed("Name"));
  if (Policies.length === 0) throw from.invalid("Policies", "at least one policy");
  return { ID: from.text("ID"), Name, Description: description(from), Policies: [...new Set(Policies)] };
}

export interface TokenInput {
  readonly AccessorID: string;
  readonly Name: string;
  readonly Type: AclTokenType;
  readonly Policies: readonly string[];
  readonly Roles: readonly RoleLink[];
  readonly Global: boolean;
  /** When it expires, or in how many nanoseconds. */
  readonly expires: { readonly at: UnixNano } | { readonly after: number } | null;
}

/** @throws InvalidField */
export function tokenFromApi(input: unknown): TokenInput {
  const from = new FieldReader(input, "Token");
  const Type = from.oneOf("Type", TOKEN_TYPES, "client");
  const Policies = links(from, "Policies", readText);
  const Roles = links(from, "Roles", (value, at) => {
    const link = new FieldReader(value, at);
    return { ID: link.text("ID"), Name: link.text("Name") };
  });
  const Name = from.text("Name");
  if (Name.length > maxName) throw from.invalid("Name", `at most ${maxName} characters`);
  const isEmpty = Policies.length === 0 && Roles.length === 0;
  if (Type === "management" && !isEmpty)
    throw from.invalid("Type", '"client": a management token cannot be associated with policies or roles');
  if (Type === "client" && isEmpty) throw from.invalid("Policies", "at least one: client token missing policies or roles");
  return {
    AccessorID: from.text("AccessorID"),
    Name,
    Type,
    Policies: [...new Set(Policies)],
    Roles,
    Global: from.flag("Global"),
    expires: expiry(from),
  };
}

function expiry(from: FieldReader): TokenInput["expires"] {
  const ttl = from.raw("ExpirationTTL");
  const time = from.text("ExpirationTime");
  const hasTtl = ttl !== undefined && ttl !== "" && ttl !== 0;
  if (time !== "") {
    if (hasTtl) throw from.invalid("ExpirationTTL", "nothing, since ExpirationTime is given");
    const ms = /^\d{4}-\d\d-\d\dT/.test(time) ? Date.parse(time) : Number.NaN;
    if (Number.isNaN(ms)) throw from.invalid("ExpirationTime", 'a time such as "2030-01-31T12:00:00Z"');
    return { at: BigInt(ms) * 1_000_000n };
  }
  if (!hasTtl) return null;
  if (typeof ttl === "number" && Number.isSafeInteger(ttl) && ttl > 0) return { after: ttl };
  try {
    if (typeof ttl === "string") return { after: parseGoDuration(ttl) };
  } catch {
    // Told below.
  }
  throw from.invalid("ExpirationTTL", 'a duration such as "8h", or nanoseconds');
}

function description(from: FieldReader): string {
  const text = from.text("Description");
  if (text.length > maxDescription) throw from.invalid("Description", `at most ${maxDescription} characters`);
  return text;
}

function links<T>(from: FieldReader, member: string, read: (value: unknown, path: string) => T): readonly T[] {
  const all = from.list(member, read) ?? [];
  if (all.length > maxLinks) throw from.invalid(member, `at most ${maxLinks}`);
  return all;
}
