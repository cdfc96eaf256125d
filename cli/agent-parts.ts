import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import type { TemplateHookDeps } from "../agent/allocs/hooks/template.js";
import type { ArtifactFetcher } from "../agent/artifacts/fetcher.js";
import type { SystemClock } from "../agent/clock.js";
import { ConfigError } from "../agent/config/config-error.js";
import type { Config } from "../agent/config/schema.js";
import type { Logger } from "../agent/log.js";
import type { Node } from "../agent/model/node.js";
import { StoreOpenError } from "../agent/store/errors.js";
import { SqliteStore, type SqliteStoreOptions } from "../agent/store/sqlite-store.js";
import { Keyring, KeyringError } from "../agent/vars/keyring.js";
import { hostVolumes } from "../agent/volumes/host-volumes.js";
import { defaultApiOptions } from "../api/options.js";
import { DockerDriver } from "../drivers/docker/driver.js";
import { RawExecDriver } from "../drivers/raw_exec/driver.js";
import type { ShimClient } from "../drivers/shim/client.js";
import { dockerOptions } from "./docker-options.js";

export async function openStore(
  config: Config,
  clock: SystemClock,
  log: Logger,
  hooks: Pick<SqliteStoreOptions, "onFatal" | "hostFault">,
): Promise<SqliteStore> {
  const dir = join(config.data_dir, "state");
  try {
    mkdirSync(config.data_dir, { recursive: true, mode: 0o711 });
    return await SqliteStore.open({
      dir,
      clock,
      log,
      ...hooks,
      backups: { everyMs: config.state.backup_interval, keep: config.state.backups },
      limits: {
        maxWaiting: config.state.max_waiting_changes,
        historyRows: config.retention.history_rows,
        historyRowsPerAlloc: config.retention.history_rows_per_allocation,
        completedEvals: config.retention.terminal_evaluations,
        jobVersions: config.retention.job_versions,
      },
    });
  } catch (error) {
    if (error instanceof StoreOpenError || isFileError(error))
      throw new ConfigError(`data_dir: ${(error as Error).message}`, { cause: error });
    throw error;
  }
}

export function openKeyring(dataDir: string): Keyring {
  try {
    return Keyring.open(dataDir);
  } catch (error) {
    if (error instanceof KeyringError) throw new ConfigError(`data_dir: ${error.message}`, { cause: error });
    throw error;
  }
}

export function rawExec(config: Config, shim: ShimClient, clock: SystemClock): RawExecDriver {
  const settings = config.drivers.raw_exec;
  return new RawExecDriver(shim, {
    enabled: settings.enabled,
    deniedEnvvars: settings.denied_envvars,
    deniedUids: settings.denied_host_uids,
    deniedGids: settings.denied_host_gids,
    cgroupParent: config.client.cgroup_parent,
    searchPath: process.env.PATH ?? "",
    hostEnv: process.env,
    now: () => clock.now(),
  });
}

/** @throws ConfigError for an endpoint that is none. */
export function dockerDriver(config: Config, node: () => Node, time: SystemClock, log: Logger): DockerDriver {
  try {
    return new DockerDriver({
      options: dockerOptions(config.drivers.docker),
      env: process.env,
      stateDir: join(config.data_dir, "docker"),
      host: () => {
        const { ID, Name, Resources, Reserved } = node();
        return { nodeId: ID, nodeName: Name, usableMhz: Resources.CpuShares - Reserved.CpuShares, cores: Resources.Cores };
      },
      time,
      log,
    });
  } catch (error) {
    throw new ConfigError((error as Error).message, { cause: error });
  }
}

export const templateOptions = ({ client: { template } }: Config): TemplateHookDeps["options"] => ({
  disableFileSandbox: template.disable_file_sandbox,
  functionDenylist: template.function_denylist,
  limits: { steps: template.max_steps, bytes: template.max_bytes },
  waitMinMs: template.wait_min,
  waitMaxMs: template.wait_max,
  region: defaultApiOptions.region,
});

/** What artifacts need is loaded only where there are some. */
export async function loadFetcher(
  { data_dir: dataDir, client: { artifact } }: Config,
  clock: SystemClock,
  log: Logger,
): Promise<ArtifactFetcher> {
  const { ArtifactFetcher } = await import("../agent/artifacts/fetcher.js");
  return new ArtifactFetcher({
    directory: join(dataDir, "artifacts"),
    options: {
      maxBytes: artifact.max_bytes,
      maxUnpackedBytes: artifact.max_unpacked_bytes,
      maxFiles: artifact.max_files,
      maxRatio: artifact.max_ratio,
      timeoutMs: artifact.timeout,
      stallMs: artifact.stall_timeout,
      retries: artifact.retries,
      maxConcurrent: artifact.max_concurrent,
    },
    clock,
    log,
  });
}

export const nodeOptions = ({ client, node, datacenter, data_dir: dataDir }: Config) => ({
  dataDir,
  name: node.name,
  datacenter,
  nodePool: node.pool,
  nodeClass: node.class,
  meta: node.meta,
  networkInterface: client.network_interface,
  reserved: { CpuShares: client.reserved.cpu, MemoryMB: client.reserved.memory, DiskMB: client.reserved.disk },
  minDynamicPort: client.min_dynamic_port,
  maxDynamicPort: client.max_dynamic_port,
  cgroupParent: client.cgroup_parent,
  hostVolumes: hostVolumes(client.host_volume),
});

export const gcOptions = ({ client }: Config) => ({
  intervalMs: client.gc_interval,
  diskUsageThreshold: client.gc_disk_usage_threshold,
  inodeUsageThreshold: client.gc_inode_usage_threshold,
  maxAllocs: client.gc_max_allocs,
  maxAgeMs: client.gc_max_age,
  parallelDestroys: client.gc_parallel_destroys,
});

/** Written at once: the lines before a crash are the ones that are wanted. */
export function createLog({ log: { level } }: Config): Logger {
  const destination = pino.destination({ dest: 2, sync: true });
  // A full disk below the log must not end the agent.
  destination.on("error", () => {});
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

const isFileError = (error: unknown): boolean =>
  typeof (error as NodeJS.ErrnoException).code === "string" && (error as NodeJS.ErrnoException).syscall !== undefined;
