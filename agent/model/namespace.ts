import { FieldReader, readText } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";

/** The namespace that is always there. */
export const DEFAULT_NAMESPACE = "default";
/** Stands for all namespaces in queries, so none can have it as its name. */
export const ALL_NAMESPACES = "*";

const namePattern = /^[A-Za-z0-9-]{1,128}$/;
const maxDescription = 256;

/** Which drivers the jobs of a namespace may use. Null: no list. */
export interface NamespaceCapabilities {
  readonly EnabledTaskDrivers: readonly string[] | null;
  readonly DisabledTaskDrivers: readonly string[] | null;
  readonly [member: string]: unknown;
}

/** A room for the names of jobs. */
export interface Namespace {
  readonly Name: string;
  readonly Description: string;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Quota: string;
  readonly Capabilities: NamespaceCapabilities | null;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** As it is on a host that was never told of another one. */
export const defaultNamespace: Namespace = {
  Name: DEFAULT_NAMESPACE,
  Description: "Default shared namespace",
  Meta: null,
  Quota: "",
  Capabilities: null,
  CreateIndex: 1,
  ModifyIndex: 1,
};

/**
 * A namespace as a caller gave it.
 *
 * @param path how errors name it.
 * @throws InvalidField for the first thing that is wrong.
 */
export function namespaceFromApi(input: unknown, path = "Namespace"): Namespace {
  const from = new FieldReader(input, path);
  const Name = from.needed("Name");
  if (!namePattern.test(Name)) throw from.invalid("Name", "at most 128 letters, digits and hyphens");
  const Description = from.text("Description");
  if (Description.length > maxDescription) throw from.invalid("Description", `at most ${maxDescription} characters`);
  if (from.text("Quota") !== "") throw from.invalid("Quota", "no quota: this host has none");
  return { Name, Description, Meta: from.texts("Meta"), Quota: "", Capabilities: readCapabilities(from), CreateIndex: 0, ModifyIndex: 0 };
}

function readCapabilities(from: FieldReader): NamespaceCapabilities | null {
  return from.object("Capabilities", (value, at) => {
    const reader = new FieldReader(value, at);
    const lists = ["EnabledTaskDrivers", "DisabledTaskDrivers"];
    return {
      ...reader.others(lists),
      EnabledTaskDrivers: reader.list("EnabledTaskDrivers", readText),
      DisabledTaskDrivers: reader.list("DisabledTaskDrivers", readText),
    };
  });
}

interface Drivers {
  readonly TaskGroups: readonly { readonly Tasks: readonly { readonly Driver: string }[] }[];
}

/** @throws InvalidField for the first task whose driver the namespace does not allow. */
export function checkDrivers({ Name, Capabilities }: Namespace, job: Drivers, path = "Job"): void {
  const enabled = Capabilities?.EnabledTaskDrivers ?? [];
  const disabled = Capabilities?.DisabledTaskDrivers ?? [];
  for (const [g, { Tasks }] of job.TaskGroups.entries()) {
    for (const [t, { Driver }] of Tasks.entries()) {
      const allowed = (enabled.length === 0 || enabled.includes(Driver)) && !disabled.includes(Driver);
      if (!allowed)
        throw new InvalidField(`${path}.TaskGroups[${g}].Tasks[${t}].Driver`, Driver, `a driver that namespace "${Name}" allows`);
    }
  }
}
