import type Docker from "dockerode";
import { DriverError, TaskConfigError, type TaskSpec } from "../../driver.js";
import type { DockerTaskConfig } from "../config/task-config.js";
import type { DockerHost, DockerOptions } from "../options.js";
import { capabilities } from "./capabilities.js";
import { limits } from "./limits.js";
import { binds, engineMounts, hostMounts } from "./mounts.js";
import { containerLabels, containerName } from "./names.js";
import { networking } from "./networking.js";
import { checkAllowed } from "./policy.js";
import type { PortMapping } from "./ports.js";

/**
 * The container of a task's run, as the engine is asked for it.
 *
 * @throws DriverError, not recoverable, that names the key. Source of the text: reference behaviour §6.2.
 */
export function createOptions(
  spec: TaskSpec,
  config: DockerTaskConfig,
  options: DockerOptions,
  host: DockerHost,
): Docker.ContainerCreateOptions & { readonly name: string } {
  try {
    checkAllowed(config, options);
    return build(spec, config, options, host);
  } catch (error) {
    if (!(error instanceof TaskConfigError)) throw error;
    const message = `Failed to create container configuration for image ${JSON.stringify(config.image)}: ${error.message}`;
    throw new DriverError(message, false, { cause: error });
  }
}

function build(spec: TaskSpec, config: DockerTaskConfig, options: DockerOptions, host: DockerHost) {
  const { mappings, host: hostNetwork, container } = networking(spec, config);
  const { add, drop } = capabilities(config.capAdd, config.capDrop, options.allowCaps);
  const command = [...(config.command === "" ? [] : [config.command]), ...config.args];
  const logging = config.logging ?? { type: "", config: new Map<string, string>() };
  const isDefaultLog = logging.type === "" && logging.config.size === 0;
  return {
    name: containerName(spec.task, spec.allocId),
    Image: config.image,
    Env: environment(spec.env, mappings),
    Labels: containerLabels(spec, config.labels, host, options.extraLabels),
    User: spec.user,
    Tty: config.tty,
    OpenStdin: config.interactive,
    ...(config.entrypoint === null ? {} : { Entrypoint: [...config.entrypoint] }),
    ...(command.length > 0 ? { Cmd: command } : {}),
    ...(config.workDir === "" ? {} : { WorkingDir: config.workDir }),
    ...(config.healthchecksDisabled ? { Healthcheck: { Test: ["NONE"] } } : {}),
    ...container,
    HostConfig: {
      ...hostNetwork,
      ...limits(spec.resources, config, host, options),
      Binds: [...binds(spec.dirs, config, options.volumes)],
      Mounts: [...engineMounts(spec.dirs, config.mounts, options.volumes), ...hostMounts(spec.mounts)] as unknown as Docker.MountConfig,
      ...(config.volumeDriver === "" ? {} : { VolumeDriver: config.volumeDriver }),
      Devices: config.devices.map(({ hostPath, containerPath, permissions }) => ({
        PathOnHost: hostPath,
        PathInContainer: containerPath,
        CgroupPermissions: permissions,
      })),
      LogConfig: isDefaultLog
        ? { Type: options.logging.type, Config: { ...options.logging.config } }
        : { Type: logging.type || options.logging.type, Config: Object.fromEntries(logging.config) },
      Privileged: config.privileged,
      CapAdd: add,
      CapDrop: drop,
      SecurityOpt: config.securityOpt,
      GroupAdd: [...config.groupAdd],
      ReadonlyRootfs: config.readonlyRootfs,
      Init: config.init,
      OomScoreAdj: config.oomScoreAdj ?? options.oomScoreAdj,
      Sysctls: Object.fromEntries(config.sysctl),
      StorageOpt: Object.fromEntries(config.storageOpt),
      ...(config.shmSize > 0 ? { ShmSize: config.shmSize } : {}),
      ...(config.runtime === "" ? {} : { Runtime: config.runtime }),
      ...(config.cgroupns === "" ? {} : { CgroupnsMode: config.cgroupns }),
      PidMode: config.pidMode,
      IpcMode: config.ipcMode,
      UTSMode: config.utsMode,
      UsernsMode: config.usernsMode,
    },
  };
}

/** A port's number inside is what the task has to listen on. */
function environment(env: Readonly<Record<string, string>>, mappings: readonly PortMapping[]): string[] {
  const ports = mappings.map(({ label, containerPort }) => [`NOMAD_PORT_${label.replace(/[^a-zA-Z0-9_.]/g, "_")}`, String(containerPort)]);
  return Object.entries({ ...env, ...Object.fromEntries(ports) })
    .map(([name, value]) => `${name}=${value}`)
    .sort();
}
