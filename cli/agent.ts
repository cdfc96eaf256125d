import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { AllocStats } from "../agent/allocs/alloc-stats.js";
import { AllocSupervisor } from "../agent/allocs/alloc-supervisor.js";
import { AllocFiles } from "../agent/allocs/fs/alloc-files.js";
import { SystemClock } from "../agent/clock.js";
import { ConfigError } from "../agent/config/config-error.js";
import { loadConfig } from "../agent/config/load.js";
import type { Config } from "../agent/config/schema.js";
import { JobService } from "../agent/jobs/job-service.js";
import type { Logger } from "../agent/log.js";
import { MILLISECOND } from "../agent/model/units.js";
import { HostStatsReader } from "../agent/node/host-stats.js";
import { listeningPorts } from "../agent/node/listening-ports.js";
import { NodeRegistry } from "../agent/node/node-registry.js";
import { StoreOpenError } from "../agent/store/errors.js";
import { SqliteStore } from "../agent/store/sqlite-store.js";
import { ExecAccess } from "../api/exec/exec-access.js";
import { defaultExecOptions, ExecEndpoint } from "../api/exec/exec-endpoint.js";
import { createFsRouter } from "../api/fs/router.js";
import { createApi } from "../api/server.js";
import type { Driver } from "../drivers/driver.js";
import { RawExecDriver } from "../drivers/raw_exec/driver.js";
import { ShimClient } from "../drivers/shim/client.js";
import { launchShim } from "../drivers/shim/start-shim.js";
import { listenLocal, listenTcp } from "./listen.js";
import { asConfigError, makeSecurity, type Security } from "./security.js";

export interface AgentFlags {
  readonly config?: string;
  readonly bind?: string;
  readonly port?: string;
  readonly dataDir?: string;
}

/** What is undone in reverse order, at the end as after a failed start. */
class Undo {
  readonly #steps: (() => unknown)[] = [];
  add(step: () => unknown): void {
    this.#steps.push(step);
  }
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) await step();
  }
}

/**
 * `allocd agent`: puts the rooms together and runs until SIGTERM or SIGINT, which leave the tasks running.
 *
 * @throws ConfigError for what the operator can put right; nothing is left half started then.
 */
export async function runAgent(flags: AgentFlags, version: string): Promise<void> {
  const config = loadConfig({
    file: flags.config,
    env: process.env,
    flags: { "--bind": flags.bind, "--port": flags.port, "--data-dir": flags.dataDir },
  });
  const log = createLog(config);
  const undo = new Undo();
  let end = (): void => {};
  const ending = new Promise<void>((resolve) => {
    end = resolve;
  });
  // Without its store it could do nothing right any more: a new agent finds everything again.
  const onFatal = (): void => {
    process.exitCode = 1;
    end();
  };
  try {
    await start(config, log, version, undo, onFatal);
  } catch (error) {
    await undo.run();
    throw asConfigError(error);
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => end());
  await ending;
  log.info("ending; the tasks go on");
  await undo.run();
  log.info("ended");
}

async function start(config: Config, log: Logger, version: string, undo: Undo, onFatal: () => void): Promise<void> {
  const clock = new SystemClock();
  const dataDir = config.data_dir;
  const store = await openStore(config, clock, log, onFatal);
  undo.add(() => store.close());

  const security = await makeSecurity({ config, store, clock, log });
  undo.add(() => security.close());

  const shim = new ShimClient({
    path: join(config.runtime_dir, "shim.sock"),
    launch: () => launchShim(config.runtime_dir, join(dataDir, "shim.log")),
    log,
  });
  undo.add(() => shim.close());
  const drivers: ReadonlyMap<string, Driver> = new Map([["raw_exec", rawExec(config, shim, clock)]]);

  const nodes = new NodeRegistry({ store, drivers, clock, log, options: nodeOptions(config) });
  const node = () => nodes.node;
  const allocs = new AllocSupervisor({
    store,
    drivers,
    node,
    clock,
    log,
    dataDir,
    options: {
      maxKillTimeoutNs: config.client.max_kill_timeout * MILLISECOND,
      envDenylist: config.client.env_denylist,
      hostEnv: process.env,
    },
  });
  const { retention } = config;
  const jobs = new JobService({
    store,
    clock,
    log,
    node,
    options: { maxTerminalAllocs: retention.terminal_allocations, maxDeployments: retention.deployments, listeningPorts },
  });

  let ready: () => void = () => {};
  const readiness = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const exec = new ExecEndpoint({
    targets: allocs,
    access: new ExecAccess({ authority: security.authority, store, runsOnHost: (driver) => driver === "raw_exec" }),
    audit: security.audit,
    clock,
    log,
    options: {
      ...defaultExecOptions,
      maxSessions: config.http.max_exec_sessions,
      maxSessionsPerAllocation: config.http.max_exec_sessions_per_allocation,
      maxSessionsPerToken: config.http.max_exec_sessions_per_token,
    },
  });
  const files = new AllocFiles({
    dataDir,
    alloc: (id) => store.alloc(id),
    watch: store.watch,
    clock,
    log,
    options: { maxFollowers: config.http.max_log_followers },
  });
  const coreMhz = (): number => node().Resources.CpuShares / Math.max(1, node().Resources.Cores);
  const allocStats = new AllocStats({ runs: (id) => allocs.runs(id), coreMhz, clock });
  const hostStats = new HostStatsReader({ clock, dataDir });
  const api = createApi({
    store,
    jobs,
    allocs,
    exec,
    fs: (callerOf) => createFsRouter({ files, store, callerOf, log }),
    ...protection(security),
    agent: { version, dataDir },
    stats: {
      ofAllocation: (id, task) => allocStats.of(id, task),
      ofHost: () => hostStats.read(),
    },
    clock,
    log,
    ready: readiness,
    options: {
      hostNames: config.http.host_names,
      allowedOrigins: config.http.allowed_origins,
      maxHeaderBytes: config.http.max_header_bytes,
      headersTimeoutMs: config.http.headers_timeout,
      requestTimeoutMs: config.http.request_timeout,
      maxBodyBytes: config.http.max_body_bytes,
      maxConnectionsPerAddress: config.http.max_conns_per_client,
      maxBlockedQueries: config.http.max_blocking_queries,
      maxBlockedQueriesPerClient: config.http.max_blocking_queries_per_client,
    },
  });
  undo.add(() => api.close());
  const address = await listenTcp(api.server, config);
  if (config.unix_socket.path !== "") await listenLocal(api.localServer(), config.unix_socket);
  if (security.tls) undo.add(reloadOnHangup(security.tls, log));
  // First, so that the clients are told why before their connections go.
  undo.add(() => exec.close());

  const { pid, cgroups } = await shim.start();
  log.info({ shimPid: pid, cgroups }, cgroups.startsWith("none") ? "tasks run without limits: there are no cgroups" : "shim is there");
  await nodes.start(address);
  undo.add(() => nodes.stop());
  await allocs.start();
  undo.add(() => allocs.stop());
  await jobs.start();
  undo.add(() => jobs.stop());
  ready();
  log.info({ address, dataDir, nodeId: node().ID, version }, "ready");
}

const protection = ({ authority, acl, gate, audit, tls }: Security) => ({
  authority,
  ...(acl && { acl }),
  ...(gate && { gate }),
  ...(audit && { audit }),
  ...(tls && { makeServer: tls.make }),
});

/** @returns a function that ends it. */
function reloadOnHangup(tls: NonNullable<Security["tls"]>, log: Logger): () => void {
  const reload = (): void => {
    try {
      tls.reload();
      log.info("the certificate was read again");
    } catch (error) {
      log.error({ err: error }, "the certificate can not be read again; the one before goes on");
    }
  };
  process.on("SIGHUP", reload);
  return () => process.off("SIGHUP", reload);
}

async function openStore(config: Config, clock: SystemClock, log: Logger, onFatal: () => void): Promise<SqliteStore> {
  const dir = join(config.data_dir, "state");
  try {
    mkdirSync(config.data_dir, { recursive: true, mode: 0o711 });
    return await SqliteStore.open({
      dir,
      clock,
      log,
      onFatal,
      limits: {
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

function rawExec(config: Config, shim: ShimClient, clock: SystemClock): RawExecDriver {
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

const nodeOptions = ({ client, node, datacenter, data_dir: dataDir }: Config) => ({
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
});

/** Written at once: the lines before a crash are the ones that are wanted. */
const createLog = ({ log: { level } }: Config): Logger =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));

const isFileError = (error: unknown): boolean =>
  typeof (error as NodeJS.ErrnoException).code === "string" && (error as NodeJS.ErrnoException).syscall !== undefined;
