import { mkdirSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { pino } from "pino";
import { AllocStats } from "../agent/allocs/alloc-stats.js";
import { AllocSupervisor } from "../agent/allocs/alloc-supervisor.js";
import { AllocFiles } from "../agent/allocs/fs/alloc-files.js";
import { taskHooks } from "../agent/allocs/hooks/task-hooks.js";
import type { TemplateHookDeps } from "../agent/allocs/hooks/template.js";
import type { ArtifactFetcher } from "../agent/artifacts/fetcher.js";
import { SystemClock } from "../agent/clock.js";
import { ConfigError } from "../agent/config/config-error.js";
import { loadConfig } from "../agent/config/load.js";
import type { Config } from "../agent/config/schema.js";
import { EventBroker } from "../agent/events/event-broker.js";
import { HclReader } from "../agent/hcl/hcl-reader.js";
import { JobService } from "../agent/jobs/job-service.js";
import { JobValidator } from "../agent/jobs/job-validator.js";
import type { Logger } from "../agent/log.js";
import { MILLISECOND } from "../agent/model/units.js";
import { HostStatsReader } from "../agent/node/host-stats.js";
import { listeningPorts } from "../agent/node/listening-ports.js";
import { NodeRegistry } from "../agent/node/node-registry.js";
import { StoreOpenError } from "../agent/store/errors.js";
import { SqliteStore } from "../agent/store/sqlite-store.js";
import { noServices } from "../agent/templates/service-catalog.js";
import { Keyring, KeyringError } from "../agent/vars/keyring.js";
import { Variables } from "../agent/vars/variables.js";
import { defaultExecOptions, ExecEndpoint } from "../api/exec/exec-endpoint.js";
import { createFsRouter } from "../api/fs/router.js";
import { defaultApiOptions } from "../api/options.js";
import { createApi } from "../api/server.js";
import type { Driver } from "../drivers/driver.js";
import { RawExecDriver } from "../drivers/raw_exec/driver.js";
import { ShimClient } from "../drivers/shim/client.js";
import { shimBuiltAt, shimProgram } from "../drivers/shim/program.js";
import { launchShim } from "../drivers/shim/start-shim.js";

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
    throw error;
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

  const variables = new Variables({ store, keyring: openKeyring(dataDir), options: { maxVariables: config.variables.max_count } });

  const shim = new ShimClient({
    path: join(config.runtime_dir, "shim.sock"),
    launch: () => launchShim(config.runtime_dir, join(dataDir, "shim.log")),
    program: shimProgram,
    builtAt: shimBuiltAt,
    log,
  });
  undo.add(() => shim.close());
  const drivers: ReadonlyMap<string, Driver> = new Map([["raw_exec", rawExec(config, shim, clock)]]);

  const templates: TemplateHookDeps = {
    sources: { variables, services: noServices, watch: store.watch },
    options: templateOptions(config),
    random: Math.random,
  };

  let fetcher: Promise<ArtifactFetcher> | undefined;
  const artifacts = (): Promise<ArtifactFetcher> => {
    fetcher ??= loadFetcher(config, clock, log);
    return fetcher;
  };

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
    taskHooks: () => taskHooks({ artifacts, templates }),
  });
  const { retention } = config;
  const jobs = new JobService({
    store,
    clock,
    log,
    node,
    options: {
      maxTerminalAllocs: retention.terminal_allocations,
      maxDeadJobs: retention.dead_jobs,
      maxDeployments: retention.deployments,
      listeningPorts,
    },
  });

  const validator = new JobValidator({ store, drivers });
  const hcl = new HclReader(clock);
  undo.add(() => hcl.close());
  const events = new EventBroker({
    store,
    clock,
    options: {
      bufferedEvents: config.http.event_buffer_size,
      bufferedBytes: config.http.event_buffer_bytes,
      maxSubscribers: config.http.max_event_streams,
    },
  });

  let ready: () => void = () => {};
  const readiness = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const exec = new ExecEndpoint({
    targets: allocs,
    clock,
    log,
    options: { ...defaultExecOptions, maxSessions: config.http.max_exec_sessions },
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
    namespaces: jobs.namespaces,
    specs: { validate: (job) => validator.validate(job), parse: (text, variables) => hcl.parse(text, variables) },
    events,
    allocs,
    exec,
    fs: createFsRouter({ files, log }),
    agent: { version, dataDir },
    stats: {
      ofAllocation: (id, task) => allocStats.of(id, task),
      ofHost: () => hostStats.read(),
    },
    variables,
    clock,
    log,
    ready: readiness,
    options: {
      hostNames: config.http.host_names,
      maxBodyBytes: config.http.max_body_bytes,
      maxConnectionsPerAddress: config.http.max_conns_per_client,
      maxBlockedQueries: config.http.max_blocking_queries,
    },
  });
  const address = await listen(api.server, config);
  undo.add(() => api.close());
  // First, so that the clients are told why before their connections go.
  undo.add(() => exec.close());
  undo.add(() => events.close());

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

function openKeyring(dataDir: string): Keyring {
  try {
    return Keyring.open(dataDir);
  } catch (error) {
    if (error instanceof KeyringError) throw new ConfigError(`data_dir: ${error.message}`, { cause: error });
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

const templateOptions = ({ client: { template } }: Config): TemplateHookDeps["options"] => ({
  disableFileSandbox: template.disable_file_sandbox,
  functionDenylist: template.function_denylist,
  limits: { steps: template.max_steps, bytes: template.max_bytes },
  waitMinMs: template.wait_min,
  waitMaxMs: template.wait_max,
  region: defaultApiOptions.region,
});

/** What artifacts need is loaded only where there are some. */
async function loadFetcher({ data_dir: dataDir, client: { artifact } }: Config, clock: SystemClock, log: Logger): Promise<ArtifactFetcher> {
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

/** @returns `host:port` as it really is. */
function listen(server: Server, { bind_addr: host, port }: Config): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new ConfigError(`port: got ${port}, want a free one: ${host}:${port} is in use`)
          : new ConfigError(`bind_addr: got "${host}": ${error.message}`),
      );
    });
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      const bound = server.address();
      const actual = typeof bound === "object" && bound ? bound.port : port;
      resolve(host.includes(":") ? `[${host}]:${actual}` : `${host}:${actual}`);
    });
  });
}

/** Written at once: the lines before a crash are the ones that are wanted. */
const createLog = ({ log: { level } }: Config): Logger =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));

const isFileError = (error: unknown): boolean =>
  typeof (error as NodeJS.ErrnoException).code === "string" && (error as NodeJS.ErrnoException).syscall !== undefined;
