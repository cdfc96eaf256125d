import { parseGoDuration } from "../../../agent/model/go-duration.js";
import { TaskConfigError } from "../../driver.js";
import { ConfigReader } from "./config-reader.js";
import { capability, type Device, type Mount, readDevices, readMounts, readUlimits, type Ulimit } from "./resources-config.js";

/** A docker task's `Config`, with its defaults. Source: reference behaviour §6.2. */
export interface DockerTaskConfig {
  readonly image: string;
  readonly auth: RegistryAuth | null;
  readonly authSoftFail: boolean;
  readonly forcePull: boolean;
  /** Null: the driver's. */
  readonly imagePullTimeoutMs: number | null;
  /** An archive, by its path in the task's `local`; "" is none. */
  readonly load: string;
  /** Null: the image's. */
  readonly entrypoint: readonly string[] | null;
  readonly command: string;
  readonly args: readonly string[];
  readonly workDir: string;
  readonly hostname: string;
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly init: boolean;
  readonly labels: ReadonlyMap<string, string>;
  readonly logging: { readonly type: string; readonly config: ReadonlyMap<string, string> } | null;
  readonly healthchecksDisabled: boolean;
  readonly containerExistsAttempts: number | null;

  readonly ports: readonly string[];
  /** Container ports by label. */
  readonly portMap: ReadonlyMap<string, number>;
  readonly networkMode: string;
  readonly networkAliases: readonly string[];
  readonly ipv4Address: string;
  readonly ipv6Address: string;
  readonly macAddress: string;
  readonly dnsServers: readonly string[];
  readonly dnsSearchDomains: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly extraHosts: readonly string[];

  readonly volumes: readonly string[];
  readonly volumeDriver: string;
  readonly mounts: readonly Mount[];
  readonly devices: readonly Device[];
  readonly storageOpt: ReadonlyMap<string, string>;
  readonly readonlyRootfs: boolean;
  /** Bytes; 0 is the engine's default. */
  readonly shmSize: number;

  readonly cpuHardLimit: boolean;
  /** Microseconds. */
  readonly cpuCfsPeriod: number;
  readonly cpusetCpus: string;
  /** MiB; 0 is none. */
  readonly memoryHardLimit: number;
  readonly pidsLimit: number;
  readonly oomScoreAdj: number | null;
  readonly ulimits: readonly Ulimit[];
  readonly sysctl: ReadonlyMap<string, string>;

  readonly privileged: boolean;
  /** With CAP_. */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly securityOpt: readonly string[];
  readonly groupAdd: readonly string[];
  readonly runtime: string;
  readonly cgroupns: string;
  readonly pidMode: string;
  readonly ipcMode: string;
  readonly utsMode: string;
  readonly usernsMode: string;
}

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  readonly email: string;
  readonly serverAddress: string;
}

const keys =
  "image advertise_ipv6_address args auth auth_soft_fail cap_add cap_drop cgroupns command container_exists_attempts cpu_cfs_period cpu_hard_limit cpuset_cpus devices dns_options dns_search_domains dns_servers entrypoint extra_hosts force_pull group_add healthchecks hostname image_pull_timeout init interactive ipc_mode ipv4_address ipv6_address isolation labels load logging mac_address memory_hard_limit mount mounts network_aliases network_mode oom_score_adj pid_mode pids_limit port_map ports privileged readonly_rootfs runtime security_opt shm_size storage_opt sysctl tty ulimit userns_mode uts_mode volume_driver volumes work_dir".split(
    " ",
  );

const maxInt = Number.MAX_SAFE_INTEGER;

/** @throws TaskConfigError that names the key and what was given. */
export function parseTaskConfig(given: Readonly<Record<string, unknown>>): DockerTaskConfig {
  const from = new ConfigReader(given, keys);
  const image = from.text("image").replace(/^https:\/\//, "");
  if (image === "") throw new TaskConfigError("image name required for docker driver");
  refuseUnsupported(from);
  return {
    image,
    ...imageKeys(from),
    ...processKeys(from),
    ...networkKeys(from),
    ...fileKeys(from),
    ...limitKeys(from),
    ...rightKeys(from),
  };
}

/** What can not work here is said, rather than left out in silence. */
function refuseUnsupported(from: ConfigReader): void {
  if (from.flag("advertise_ipv6_address"))
    throw new TaskConfigError("advertise_ipv6_address is not supported: services are advertised with the host's address");
  if (!["", "default"].includes(from.text("isolation")))
    throw new TaskConfigError(`isolation: got "${from.text("isolation")}": isolation modes are only available on Windows`);
}

const imageKeys = (from: ConfigReader) => ({
  auth: from.block("auth", ["username", "password", "email", "server_address"], (auth) => ({
    username: auth.text("username"),
    password: auth.text("password"),
    email: auth.text("email"),
    serverAddress: auth.text("server_address"),
  })),
  authSoftFail: from.flag("auth_soft_fail"),
  forcePull: from.flag("force_pull"),
  imagePullTimeoutMs: pullTimeout(from),
  load: from.text("load"),
});

function pullTimeout(from: ConfigReader): number | null {
  const given = from.text("image_pull_timeout");
  if (given === "") return null;
  try {
    const ms = parseGoDuration(given) / 1e6;
    if (ms > 0) return ms;
  } catch {
    // Refused below.
  }
  throw from.refused("image_pull_timeout", 'a duration, such as "5m"');
}

const processKeys = (from: ConfigReader) => ({
  entrypoint: entrypoint(from),
  command: command(from),
  args: from.texts("args"),
  workDir: from.text("work_dir"),
  hostname: from.text("hostname"),
  tty: from.flag("tty"),
  interactive: from.flag("interactive"),
  init: from.flag("init"),
  labels: from.map("labels"),
  logging: from.block("logging", ["type", "driver", "config"], (logging) => ({
    type: logging.text("type") || logging.text("driver"),
    config: logging.map("config"),
  })),
  healthchecksDisabled: from.block("healthchecks", ["disable"], (healthchecks) => healthchecks.flag("disable")) ?? false,
  containerExistsAttempts: from.has("container_exists_attempts") ? from.whole("container_exists_attempts", 0, { min: 1, max: 100 }) : null,
});

function entrypoint(from: ConfigReader): readonly string[] | null {
  if (!from.has("entrypoint")) return null;
  try {
    return [from.text("entrypoint")];
  } catch {
    return from.texts("entrypoint");
  }
}

/** Source of the texts: reference behaviour §6.2. */
function command(from: ConfigReader): string {
  const given = from.text("command");
  if (given !== "" && given.trim() === "") throw new TaskConfigError(`command empty: ${JSON.stringify(given)}`);
  if (given.trim() !== given) throw new TaskConfigError(`command contains extra white space: ${JSON.stringify(given)}`);
  return given;
}

const networkKeys = (from: ConfigReader) => ({
  ports: from.texts("ports"),
  portMap: new Map([...from.map("port_map")].map(([label, port]) => [label, portNumber(label, port)])),
  networkMode: from.text("network_mode"),
  networkAliases: from.texts("network_aliases"),
  ipv4Address: from.text("ipv4_address"),
  ipv6Address: from.text("ipv6_address"),
  macAddress: from.text("mac_address"),
  dnsServers: from.texts("dns_servers"),
  dnsSearchDomains: from.texts("dns_search_domains"),
  dnsOptions: from.texts("dns_options"),
  extraHosts: from.texts("extra_hosts"),
});

function portNumber(label: string, given: string): number {
  const port = /^\d{1,5}$/.test(given) ? Number(given) : 0;
  if (port < 1 || port > 65_535)
    throw new TaskConfigError(`port_map[${JSON.stringify(label)}]: got "${given}", want a port from 1 to 65535`);
  return port;
}

const fileKeys = (from: ConfigReader) => ({
  volumes: from.texts("volumes"),
  volumeDriver: from.text("volume_driver"),
  mounts: [...readMounts(from, "mount"), ...readMounts(from, "mounts")],
  devices: readDevices(from),
  storageOpt: from.map("storage_opt"),
  readonlyRootfs: from.flag("readonly_rootfs"),
  shmSize: from.whole("shm_size", 0, { min: 0, max: maxInt }),
});

const limitKeys = (from: ConfigReader) => ({
  cpuHardLimit: from.flag("cpu_hard_limit"),
  cpuCfsPeriod: cfsPeriod(from),
  cpusetCpus: from.text("cpuset_cpus"),
  memoryHardLimit: from.whole("memory_hard_limit", 0, { min: 0, max: 2 ** 31 }),
  pidsLimit: from.whole("pids_limit", 0, { min: -1, max: 2 ** 31 }),
  oomScoreAdj: from.has("oom_score_adj") ? from.whole("oom_score_adj", 0, { min: 0, max: 1000 }) : null,
  ulimits: readUlimits(from),
  sysctl: from.map("sysctl"),
});

function cfsPeriod(from: ConfigReader): number {
  try {
    return from.whole("cpu_cfs_period", 100_000, { min: 1_000, max: 1_000_000 });
  } catch (error) {
    throw new TaskConfigError(`invalid value for cpu_cfs_period: ${(error as Error).message}`);
  }
}

const rightKeys = (from: ConfigReader) => ({
  privileged: from.flag("privileged"),
  capAdd: from.texts("cap_add").map(capability),
  capDrop: from.texts("cap_drop").map(capability),
  securityOpt: from.texts("security_opt"),
  groupAdd: from.texts("group_add"),
  runtime: from.text("runtime"),
  cgroupns: from.text("cgroupns"),
  pidMode: from.text("pid_mode"),
  ipcMode: from.text("ipc_mode"),
  utsMode: from.text("uts_mode"),
  usernsMode: from.text("userns_mode"),
});
