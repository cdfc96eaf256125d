import { mkdirSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { pino } from "pino";
import { agentHealth } from "../agent/agent-health.js";
import { adoptAllocs, adoptionText } from "../agent/allocs/adopt-allocs.js";
import { allocRoot } from "../agent/allocs/alloc-dir.js";
import { AllocRecorder } from "../agent/allocs/alloc-recorder.js";
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
import { DiskWatch } from "../agent/node/disk-watch.js";
import { HostStatsReader } from "../agent/node/host-stats.js";
import { listeningPorts } from "../agent/node/listening-ports.js";
import { NodeRegistry } from "../agent/node/node-registry.js";
import { DamageError, StoreOpenError } from "../agent/store/errors.js";
import { SqliteStore, type SqliteStoreOptions } from "../agent/store/sqlite-store.js";
import { defaultExecOptions, ExecEndpoint } from "../api/exec/exec-endpoint.js";
import { createFsRouter } from "../api/fs/router.js";
import { createApi } from "../api/server.js";
import type { Driver } from "../drivers/driver.js";
import { RawExecDriver } from "../drivers/raw_exec/driver.js";
import { ShimClient } from "../drivers/shim/client.js";
import { launchShim } from "../drivers/shim/start-shim.js";

export interface AgentFlags {
  readonly config?: string;
  readonly bind?: string;
  readonly port?: string;
  readonly dataDir?: string;
}

/** How often one process starts anew with a repaired database. */
const maxRepairs = 3;

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
  for (let repairs = 0; ; repairs++) {
    const end = await live(config, log, version);
    if (end !== "damaged") break;
    if (repairs === maxRepairs) {
      process.exitCode = 1;
      log.fatal("the database was damaged again and again: is the disk well?");
      break;
    }
    log.warn("starting anew, with a database that is whole");
  }
  log.info("ended");
}

/** From start to end. @returns why it ended. */
async function live(config: Config, log: Logger, version: string): Promise<"asked" | "damaged" | "fatal"> {
  const undo = new Undo();
  let end = (_: "asked" | "damaged" | "fatal"): void => {};
  const ending = new Promise<"asked" | "damaged" | "fatal">((resolve) => {
    end = resolve;
  });
  // Without its store it could do nothing right any more: a new agent finds everything again.
  const onFatal = (error: Error): void => {
    if (!(error instanceof DamageError)) process.exitCode = 1;
    end(error instanceof DamageError ? "damaged" : "fatal");
  };
  const asked = (): void => end("asked");
  try {
    await start(config, log, version, undo, onFatal);
  } catch (error) {
    await undo.run();
    throw error;
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, asked);
    undo.add(() => process.off(signal, asked));
  }
  const why = await ending;
  log.info(why === "asked" ? "ending; the tasks go on" : "ending, as the state can not be written; the tasks go on");
  await undo.run();
  return why;
}

async function start(config: Config, log: Logger, version: string, undo: Undo, onFatal: (error: Error) => void): Promise<void> {
  const clock = new SystemClock();
  const dataDir = config.data_dir;
  const disk = new DiskWatch({ dir: allocRoot(dataDir), clock, log });
  const store = await openStore(config, clock, log, { onFatal, hostFault: () => disk.fault });
  undo.add(() => store.close());
  const recorder = new AllocRecorder({ store, clock, log, dataDir });
  recorder.start();
  undo.add(() => recorder.stop());
  const { isOlder, knownIndex } = store.start;
  const adoption = await adoptAllocs({ store, dataDir, log, isOlder, knownIndex });
  disk.start();
  undo.add(() => disk.stop());

  const shim = new ShimClient({
    path: join(config.runtime_dir, "shim.sock"),
    launch: () => launchShim(config.runtime_dir, join(dataDir, "shim.log")),
    lost: (runId, stream, { reason, isOver, bytes }) => {
      log.warn({ runId, stream, reason, isOver, lostBytes: bytes }, "a task's output is lost");
      disk.suspect();
    },
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
    allocs,
    exec,
    fs: createFsRouter({ files, log }),
    agent: { version, dataDir },
    health: agentHealth({
      store,
      fault: () => disk.fault,
      warnings: () => [...store.warnings, ...(adoption ? [adoptionText(adoption)] : [])],
    }),
    stats: {
      ofAllocation: (id, task) => allocStats.of(id, task),
      ofHost: () => hostStats.read(),
    },
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

async function openStore(
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
function createLog({ log: { level } }: Config): Logger {
  const destination = pino.destination({ dest: 2, sync: true });
  // A full disk below the log must not end the agent.
  destination.on("error", () => {});
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

const isFileError = (error: unknown): boolean =>
  typeof (error as NodeJS.ErrnoException).code === "string" && (error as NodeJS.ErrnoException).syscall !== undefined;
