import { TaskConfigError, type TaskDirs, type TaskMount } from "../../driver.js";
import type { Mount } from "../config/resources-config.js";
import type { DockerTaskConfig } from "../config/task-config.js";
import type { DockerOptions } from "../options.js";
import { hostPath } from "./host-paths.js";

type Volumes = DockerOptions["volumes"];

/**
 * The task's directories, then what its config asks for. Logs are there to be read: a container's root could put links in
 * the place of files that the agent writes. Source: reference behaviour §6.3.
 *
 * @throws TaskConfigError for what is not allowed.
 */
export function binds(dirs: TaskDirs, config: Pick<DockerTaskConfig, "volumes" | "volumeDriver">, volumes: Volumes): readonly string[] {
  const own = [`${dirs.shared}:/alloc`, `${dirs.local}:/local`, `${dirs.secrets}:/secrets`, `${dirs.logs}:/alloc/logs:ro`];
  return [...own, ...userVolumes(dirs, config, volumes)].map((bind) => labelled(bind, volumes.selinuxLabel));
}

function userVolumes(
  dirs: TaskDirs,
  { volumes: given, volumeDriver }: Pick<DockerTaskConfig, "volumes" | "volumeDriver">,
  { enabled }: Volumes,
): readonly string[] {
  if (volumeDriver !== "" && !enabled)
    throw new TaskConfigError(`volumes are not enabled; cannot use volume driver ${JSON.stringify(volumeDriver)}`);
  return given.map((volume) => {
    const [source = "", target = "", ...mode] = volume.split(":");
    if (source === "" || !target.startsWith("/"))
      throw new TaskConfigError(`volumes: got ${JSON.stringify(volume)}, want "source:/target[:options]"`);
    // With a driver of its own the source is the name of a volume.
    const from = volumeDriver === "" ? hostPath(source, dirs, enabled) : source;
    return [from, target, ...mode].join(":");
  });
}

function labelled(bind: string, label: string): string {
  if (label === "") return bind;
  return bind.split(":").length > 2 ? `${bind},${label}` : `${bind}:${label}`;
}

/** @throws TaskConfigError for what is not allowed. */
export function engineMounts(dirs: TaskDirs, mounts: readonly Mount[], { enabled }: Volumes): readonly EngineMount[] {
  return mounts.map((mount): EngineMount => {
    const common = { Type: mount.type, Target: mount.target, ReadOnly: mount.readonly };
    if (mount.type === "tmpfs") {
      return { ...common, Source: "", ...(mount.tmpfs ? { TmpfsOptions: { SizeBytes: mount.tmpfs.size, Mode: mount.tmpfs.mode } } : {}) };
    }
    if (mount.type === "bind") {
      const Source = hostPath(mount.source, dirs, enabled);
      return { ...common, Source, ...(mount.propagation === "" ? {} : { BindOptions: { Propagation: mount.propagation } }) };
    }
    if (!enabled) throw new TaskConfigError(`volumes are not enabled; cannot mount volume: ${JSON.stringify(mount.source)}`);
    return { ...common, Source: mount.source, ...(mount.volume ? { VolumeOptions: volumeOptions(mount.volume) } : {}) };
  });
}

/** As the engine takes it. */
export interface EngineMount {
  readonly Type: Mount["type"];
  readonly Target: string;
  readonly Source: string;
  readonly ReadOnly: boolean;
  readonly BindOptions?: { readonly Propagation: string };
  readonly TmpfsOptions?: { readonly SizeBytes: number; readonly Mode: number };
  readonly VolumeOptions?: ReturnType<typeof volumeOptions>;
}

const volumeOptions = ({ noCopy, labels, driver, driverOptions }: NonNullable<Mount["volume"]>) => ({
  NoCopy: noCopy,
  Labels: Object.fromEntries(labels),
  ...(driver === "" ? {} : { DriverConfig: { Name: driver, Options: Object.fromEntries(driverOptions) } }),
});

const propagations = { private: "rprivate", "host-to-task": "rslave", bidirectional: "rshared" } as const;

/** Volumes of the host that the group asks for, where the operator's configuration says they are. */
export const hostMounts = (mounts: readonly TaskMount[]): readonly object[] =>
  mounts.map(({ source, target, readOnly, propagation }) => ({
    Type: "bind",
    Source: source,
    Target: target,
    ReadOnly: readOnly,
    BindOptions: { Propagation: propagations[propagation] },
  }));
