/**
 * Differences between two values of a job, as Nomad tells them: plain members as fields, the rest as objects.
 * Source: Nomad's structs, diff.
 */

export type DiffType = "None" | "Added" | "Deleted" | "Edited";

export interface FieldDiff {
  readonly Annotations: readonly string[] | null;
  readonly Name: string;
  readonly New: string;
  readonly Old: string;
  readonly Type: DiffType;
}

export interface ObjectDiff {
  readonly Fields: readonly FieldDiff[] | null;
  readonly Name: string;
  readonly Objects: readonly ObjectDiff[] | null;
  readonly Type: DiffType;
}

export type Members = Readonly<Record<string, unknown>>;

/** Members that are told as the fields of maps are: `Meta[key]`. */
const MAPS = new Set(["Meta", "Env", "CanaryMeta", "TaggedAddresses", "GetterOptions", "GetterHeaders", "Header", "Args"]);
/** Members whose insides are the driver's, told flat: `args[0]`. */
const FLAT = new Set(["Config"]);

/** How Nomad calls one element of a list. */
const SINGULAR: Readonly<Record<string, string>> = {
  Actions: "Action",
  Affinities: "Affinity",
  Artifacts: "Artifact",
  Checks: "Check",
  Constraints: "Constraint",
  Devices: "Device",
  DynamicPorts: "Dynamic Port",
  Identities: "Identity",
  Networks: "Network",
  ReservedPorts: "Static Port",
  ScalingPolicies: "Scaling",
  Services: "Service",
  Spreads: "Spread",
  Templates: "Template",
  VolumeMounts: "VolumeMount",
  Volumes: "Volume",
};

/** Plain members by name. Those that are not set are left out. */
export function plainFields(value: Members | null): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const [name, member] of Object.entries(value ?? {})) {
    if (isPlain(member)) fields.set(name, textOf(member));
    else if (MAPS.has(name) && isMembers(member)) for (const [key, text] of flattened(member, name)) fields.set(key, text);
  }
  return fields;
}

/** @param withSame whether fields that are the same are told too. */
export function diffFields(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  withSame: boolean,
): readonly FieldDiff[] | null {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const fields = names.flatMap((Name): FieldDiff[] => {
    const [Old, New] = [before.get(Name) ?? "", after.get(Name) ?? ""];
    if (Old === New && !(withSame && Old !== "")) return [];
    const Type = Old === New ? "None" : Old === "" ? "Added" : New === "" ? "Deleted" : "Edited";
    return [{ Annotations: null, Name, New, Old, Type }];
  });
  return fields.length > 0 ? fields : null;
}

/** The members that are no plain ones, one diff for each object that differs. */
export function diffMembers(before: Members | null, after: Members | null, skip: readonly string[] = []): readonly ObjectDiff[] | null {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter((name) => !skip.includes(name)).sort();
  const objects = names.flatMap((name) => diffMember(name, before?.[name], after?.[name]));
  return objects.length > 0 ? objects : null;
}

function diffMember(name: string, before: unknown, after: unknown): readonly ObjectDiff[] {
  if (Array.isArray(before) || Array.isArray(after)) return diffLists(name, listOf(before), listOf(after));
  if (FLAT.has(name)) return diffFlat(name, membersOf(before), membersOf(after));
  if (MAPS.has(name)) return [];
  return isMembers(before) || isMembers(after) ? orNothing(diffObject(name, membersOf(before), membersOf(after))) : [];
}

/** Null when nothing differs. */
export function diffObject(Name: string, before: Members | null, after: Members | null): ObjectDiff | null {
  const [was, is] = [plainFields(before), plainFields(after)];
  const Objects = diffMembers(before, after);
  if (diffFields(was, is, false) === null && Objects === null) return null;
  return { Fields: diffFields(was, is, true), Name, Objects, Type: typeOf(before, after) };
}

function diffFlat(Name: string, before: Members | null, after: Members | null): readonly ObjectDiff[] {
  const [was, is] = [new Map(flattened(before ?? {}, "")), new Map(flattened(after ?? {}, ""))];
  if (diffFields(was, is, false) === null) return [];
  return [{ Fields: diffFields(was, is, true), Name, Objects: null, Type: typeOf(before, after) }];
}

function diffLists(name: string, before: readonly unknown[], after: readonly unknown[]): readonly ObjectDiff[] {
  if ([...before, ...after].every(isPlain)) return diffSets(name, before.map(textOf), after.map(textOf));
  const Name = SINGULAR[name] ?? name;
  const keyed = (list: readonly unknown[]): ReadonlyMap<string, Members> =>
    new Map(list.flatMap((item) => (isMembers(item) ? [[keyOf(item), item]] : [])));
  const [was, is] = [keyed(before), keyed(after)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .sort()
    .flatMap((key) => orNothing(diffObject(Name, was.get(key) ?? null, is.get(key) ?? null)));
}

function diffSets(Name: string, before: readonly string[], after: readonly string[]): readonly ObjectDiff[] {
  const field = (text: string, Type: "Added" | "Deleted"): FieldDiff => ({
    Annotations: null,
    Name,
    New: Type === "Added" ? text : "",
    Old: Type === "Deleted" ? text : "",
    Type,
  });
  const added = after.filter((text) => !before.includes(text));
  const deleted = before.filter((text) => !after.includes(text));
  if (added.length + deleted.length === 0) return [];
  const Type = before.length === 0 ? "Added" : after.length === 0 ? "Deleted" : "Edited";
  return [
    { Fields: [...added.map((text) => field(text, "Added")), ...deleted.map((text) => field(text, "Deleted"))], Name, Objects: null, Type },
  ];
}

/** What makes an element of a list the same one after a change: its name, else everything. */
function keyOf(item: Members): string {
  const name = item.Name ?? item.Label ?? item.DestPath ?? item.Volume;
  return typeof name === "string" && name !== ""
    ? name
    : JSON.stringify(item, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}

function flattened(value: unknown, path: string): readonly (readonly [string, string])[] {
  if (isPlain(value)) return [[path, textOf(value)]];
  const entries: readonly (readonly [string, unknown])[] = Array.isArray(value)
    ? value.map((item: unknown, i) => [String(i), item] as const)
    : isMembers(value)
      ? Object.entries(value)
      : [];
  return entries.flatMap(([key, item]) => flattened(item, path === "" ? key : `${path}[${key}]`));
}

const typeOf = (before: Members | null, after: Members | null): DiffType =>
  before === null ? "Added" : after === null ? "Deleted" : "Edited";
const orNothing = <T>(value: T | null): readonly T[] => (value === null ? [] : [value]);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const isMembers = (value: unknown): value is Members => typeof value === "object" && value !== null && !Array.isArray(value);
const membersOf = (value: unknown): Members | null => (isMembers(value) ? value : null);
const isPlain = (value: unknown): value is string | number | boolean | bigint =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" || typeof value === "bigint";
const textOf = (value: unknown): string => String(value);
