import { FieldReader } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { Task, VolumeMount, VolumeRequest } from "./job.js";

const emptyRequest = { AccessMode: "", AttachmentMode: "", MountOptions: null, Sticky: false };
const known = {
  request: ["Name", "Type", "Source", "ReadOnly", "PerAlloc"],
  mount: ["Volume", "Destination", "ReadOnly", "PropagationMode"],
};

/** The volumes of a group by name. Source of the members: Nomad's volume block. */
export function readVolumes(from: FieldReader): Readonly<Record<string, VolumeRequest>> | null {
  return from.object("Volumes", (value, path) => {
    const names = Object.keys(new FieldReader(value, path).others([]));
    const reader = new FieldReader(value, path);
    return Object.fromEntries(names.map((name) => [name, readRequest(reader.own(name) ?? {}, `${path}[${JSON.stringify(name)}]`, name)]));
  });
}

function readRequest(value: unknown, path: string, Name: string): VolumeRequest {
  const from = new FieldReader(value, path);
  const Type = from.text("Type");
  if (Type !== "host") throw new InvalidField(from.at("Type"), from.raw("Type"), "host: this host has no CSI plugins");
  if (from.flag("PerAlloc")) throw from.invalid("PerAlloc", "false: a host volume is the same for all allocations");
  return {
    ...from.passed(emptyRequest, known.request),
    Name,
    Type,
    Source: from.needed("Source"),
    ReadOnly: from.flag("ReadOnly"),
    PerAlloc: false,
  };
}

export const readVolumeMounts = (from: FieldReader): readonly VolumeMount[] | null =>
  from.list("VolumeMounts", (value, path) => {
    const mount = new FieldReader(value, path);
    const Destination = mount.needed("Destination");
    if (Destination.split("/").includes("..")) throw mount.invalid("Destination", "a path without ..");
    return {
      ...mount.passed({ SELinuxLabel: "" }, known.mount),
      Volume: mount.needed("Volume"),
      Destination,
      ReadOnly: mount.flag("ReadOnly"),
      PropagationMode: mount.oneOf("PropagationMode", ["private", "host-to-task", "bidirectional"], "private"),
    };
  });

/** @throws InvalidField for a mount of a volume that the group has not. */
export function checkMounts(tasks: readonly Task[], volumes: Readonly<Record<string, VolumeRequest>> | null, path: string): void {
  const names = Object.keys(volumes ?? {});
  for (const [i, task] of tasks.entries()) {
    for (const [j, { Volume }] of (task.VolumeMounts ?? []).entries()) {
      if (names.includes(Volume)) continue;
      const want = names.length > 0 ? `a volume of the group: ${names.join(", ")}` : "no mount: the group has no volumes";
      throw new InvalidField(`${path}[${i}].VolumeMounts[${j}].Volume`, Volume, want);
    }
  }
}
