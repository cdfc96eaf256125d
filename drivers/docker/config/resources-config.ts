import { TaskConfigError } from "../../driver.js";
import type { ConfigReader } from "./config-reader.js";

export interface Mount {
  readonly type: "bind" | "volume" | "tmpfs";
  readonly target: string;
  readonly source: string;
  readonly readonly: boolean;
  /** Of a bind mount; "" is the engine's default. */
  readonly propagation: string;
  readonly tmpfs: { readonly size: number; readonly mode: number } | null;
  readonly volume: {
    readonly noCopy: boolean;
    readonly labels: ReadonlyMap<string, string>;
    readonly driver: string;
    readonly driverOptions: ReadonlyMap<string, string>;
  } | null;
}

export interface Device {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly permissions: string;
}

export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Source of the texts: reference behaviour §6.2. */
export function readMounts(from: ConfigReader, key: string): readonly Mount[] {
  const keys = ["type", "target", "source", "readonly", "bind_options", "tmpfs_options", "volume_options"];
  return from.blocks(key, keys, (mount) => {
    const type = mount.text("type") || "volume";
    if (type !== "bind" && type !== "volume" && type !== "tmpfs")
      throw new TaskConfigError(`invalid mount type, must be "bind", "volume", "tmpfs": ${JSON.stringify(type)}`);
    const source = mount.text("source");
    if (type === "tmpfs" && source !== "") throw new TaskConfigError('invalid source, must be "" for tmpfs');
    if (type === "bind" && source === "") throw mount.refused("source", "the path of a bind mount");
    const target = mount.text("target");
    if (!target.startsWith("/")) throw mount.refused("target", "an absolute path in the container");
    return {
      type,
      target,
      source,
      readonly: mount.flag("readonly"),
      propagation: mount.block("bind_options", ["propagation"], (options) => options.text("propagation")) ?? "",
      tmpfs: mount.block("tmpfs_options", ["size", "mode"], (options) => ({
        size: options.whole("size", 0, { min: 0, max: Number.MAX_SAFE_INTEGER }),
        mode: options.whole("mode", 0, { min: 0, max: 0o7777 }),
      })),
      volume: readVolumeOptions(mount),
    };
  });
}

const readVolumeOptions = (mount: ConfigReader): Mount["volume"] =>
  mount.block("volume_options", ["no_copy", "labels", "driver_config"], (options) => {
    const driver = options.block("driver_config", ["name", "options"], (config) => ({
      name: config.text("name"),
      options: config.map("options"),
    }));
    return {
      noCopy: options.flag("no_copy"),
      labels: options.map("labels"),
      driver: driver?.name ?? "",
      driverOptions: driver?.options ?? new Map(),
    };
  });

export const readDevices = (from: ConfigReader): readonly Device[] =>
  from.blocks("devices", ["host_path", "container_path", "cgroup_permissions"], (device) => {
    const hostPath = device.text("host_path");
    if (hostPath === "") throw device.refused("host_path", "the path of a device");
    const permissions = device.text("cgroup_permissions");
    if (!/^(?!.*(.).*\1)[rwm]*$/.test(permissions))
      throw new TaskConfigError(`invalid cgroup permission string: ${JSON.stringify(permissions)}`);
    return { hostPath, containerPath: device.text("container_path") || hostPath, permissions: permissions || "rwm" };
  });

export const readUlimits = (from: ConfigReader): readonly Ulimit[] =>
  [...from.map("ulimit")].map(([name, given]) => {
    const [, soft, hard = soft] = /^(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(given) ?? [];
    if (soft === undefined || Number(soft) > Number(hard)) {
      const place = `${name}: ${JSON.stringify(given)}`;
      throw new TaskConfigError(`Malformed ulimit specification ${place}, want "number" or "soft:hard" with soft at most hard`);
    }
    return { name, soft: Number(soft), hard: Number(hard) };
  });

/** `net_raw`, `NET_RAW` and `CAP_NET_RAW` are one. */
export function capability(given: string): string {
  const name = given.toUpperCase().replace(/^CAP_/, "");
  return name === "ALL" ? name : `CAP_${name}`;
}
