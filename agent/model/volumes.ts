import type { Task, TaskGroup, VolumeMount } from "./job.js";
import type { HostVolume, Node } from "./node.js";

/**
 * Why a group can not have one of the host volumes that it asks for.
 *
 * @returns what a placement's metrics call it; undefined when all are there.
 */
export function missingVolume(group: Pick<TaskGroup, "Volumes">, node: Pick<Node, "HostVolumes">): string | undefined {
  for (const { Source, ReadOnly } of Object.values(group.Volumes ?? {})) {
    const volume = hostVolume(node, Source);
    if (!volume) return `missing host volume ${JSON.stringify(Source)}`;
    if (volume.ReadOnly && !ReadOnly) return `host volume ${JSON.stringify(Source)} is read-only`;
  }
  return undefined;
}

/** A directory of the host that a task is to find somewhere. */
export interface VolumeTarget {
  readonly mount: VolumeMount;
  /** The host volume's name. */
  readonly name: string;
  readonly source: string;
  readonly readOnly: boolean;
}

/** The mounts of a task. Volumes that are not there any more are left out. */
export function volumeTargets(
  task: Pick<Task, "VolumeMounts">,
  group: Pick<TaskGroup, "Volumes">,
  node: Pick<Node, "HostVolumes">,
): readonly VolumeTarget[] {
  return (task.VolumeMounts ?? []).flatMap((mount) => {
    const request = group.Volumes?.[mount.Volume];
    const volume = request && hostVolume(node, request.Source);
    if (!volume) return [];
    return [{ mount, name: volume.Name, source: volume.Path, readOnly: volume.ReadOnly || request.ReadOnly || mount.ReadOnly }];
  });
}

const hostVolume = ({ HostVolumes = {} }: Pick<Node, "HostVolumes">, name: string): HostVolume | undefined =>
  Object.hasOwn(HostVolumes, name) ? HostVolumes[name] : undefined;
