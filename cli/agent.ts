import { join } from "node:path";
import { agentHealth } from "../agent/agent-health.js";
import { adoptAllocs, adoptionText } from "../agent/allocs/adopt-allocs.js";
import { allocRoot, removeAllocDir } from "../agent/allocs/alloc-dir.js";
import { AllocGc } from "../agent/allocs/alloc-gc.js";
import { AllocMounts } from "../agent/allocs/alloc-mounts.js";
import { AllocRecorder } from "../agent/allocs/alloc-recorder.js";
import { AllocStats } from "../agent/allocs/alloc-stats.js";
import { AllocSupervisor } from "../agent/allocs/alloc-supervisor.js";
import { EphemeralDiskWatch } from "../agent/allocs/ephemeral-disk-watch.js";
import { AllocFiles } from "../agent/allocs/fs/alloc-files.js";
import { taskHooks } from "../agent/allocs/hooks/task-hooks.js";
import type { TemplateHookDeps } from "../agent/allocs/hooks/template.js";
import type { ArtifactFetcher } from "../agent/artifacts/fetcher.js";
import { SystemClock } from "../agent/clock.js";
import { loadConfig } from "../agent/config/load.js";
import type { Config } from "../agent/config/schema.js";
import { EventBroker } from "../agent/events/event-broker.js";
import { HclReader } from "../agent/hcl/hcl-reader.js";
import { JobService } from "../agent/jobs/job-service.js";
import { JobValidator } from "../agent/jobs/job-validator.js";
import { NodeService } from "../agent/jobs/node-service.js";
import type { Logger } from "../agent/log.js";
import { MILLISECOND } from "../agent/model/units.js";
import { DiskWatch } from "../agent/node/disk-watch.js";
import { diskStats, HostStatsReader } from "../agent/node/host-stats.js";
import { listeningPorts } from "../agent/node/listening-ports.js";
import { NodeRegistry } from "../agent/node/node-registry.js";
import { serviceCatalog } from "../agent/services/service-catalog.js";
import { DamageError } from "../agent/store/errors.js";
import type { SqliteStore } from "../agent/store/sqlite-store.js";
import { Variables } from "../agent/vars/variables.js";
import { ExecAccess } from "../api/exec/exec-access.js";
import { defaultExecOptions, ExecEndpoint } from "../api/exec/exec-endpoint.js";
import { createFsRouter } from "../api/fs/router.js";
import { createApi } from "../api/server.js";
import type { Driver } from "../drivers/driver.js";
import { ShimClient } from "../drivers/shim/client.js";
import { shimBuiltAt, shimProgram } from "../drivers/shim/program.js";
import { launchShim } from "../drivers/shim/start-shim.js";
import {
  createLog,
  dockerDriver,
  gcOptions,
  loadFetcher,
  nodeOptions,
  openKeyring,
  openStore,
  rawExec,
  templateOptions,
} from "./agent-parts.js";
import { listenLocal, listenTcp } from "./listen.js";
import { asConfigError, makeSecurity, protection, reloadOnHangup } from "./security.js";
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
    throw asConfigError(error);
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

/** Brings a state that is older than its directory up to date. @returns what operators should know of it. */
async function adopted(store: SqliteStore, dataDir: string, log: Logger): Promise<readonly string[]> {
  const { isOlder, knownIndex } = store.start;
  try {
    const adoption = await adoptAllocs({ store, dataDir, log, isOlder, knownIndex });
    return adoption ? [adoptionText(adoption)] : [];
  } catch (error) {
    // The agent starts in any case: what runs goes on, if unknown, and its records stay.
    log.error({ err: error }, "the records beside the allocations could not be taken up");
    return [`the records beside the allocations could not be taken up: ${(error as Error).message}`];
  }
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
  const adoption = await adopted(store, dataDir, log);
  disk.start();
  undo.add(() => disk.stop());

  const security = await makeSecurity({ config, store, clock, log });
  undo.add(() => security.close());
  const variables = new Variables({ store, keyring: openKeyring(dataDir), options: { maxVariables: config.variables.max_count } });

  const shim = new ShimClient({
    path: join(config.runtime_dir, "shim.sock"),
    launch: () => launchShim(config.runtime_dir, join(dataDir, "shim.log")),
    program: shimProgram,
    builtAt: shimBuiltAt,
    lost: (runId, stream, { reason, isOver, bytes }) => {
      log.warn({ runId, stream, reason, isOver, lostBytes: bytes }, "a task's output is lost");
      disk.suspect();
    },
    log,
  });
  undo.add(() => shim.close());
  const docker = dockerDriver(config, () => nodes.node, clock, log);
  undo.add(() => docker.close());
  const drivers: ReadonlyMap<string, Driver> = new Map<string, Driver>([
    ["raw_exec", rawExec(config, shim, clock)],
    ["docker", docker],
  ]);

  const templates: TemplateHookDeps = {
    sources: { variables, services: serviceCatalog(store), watch: store.watch },
    options: templateOptions(config),
    random: Math.random,
  };

  let fetcher: Promise<ArtifactFetcher> | undefined;
  const artifacts = (): Promise<ArtifactFetcher> => {
    fetcher ??= loadFetcher(config, clock, log);
    return fetcher;
  };

  const nodes: NodeRegistry = new NodeRegistry({ store, drivers, clock, log, options: nodeOptions(config) });
  const node = () => nodes.node;
  const mounts = new AllocMounts({ mounter: process.getuid?.() === 0 ? shim : null, log });
  const allocs = new AllocSupervisor({
    store,
    drivers,
    node,
    clock,
    log,
    dataDir,
    mounts,
    options: {
      maxKillTimeoutNs: config.client.max_kill_timeout * MILLISECOND,
      envDenylist: config.client.env_denylist,
      hostEnv: process.env,
      maxParallelChecks: config.client.max_parallel_checks,
    },
    taskHooks: () => taskHooks({ artifacts, templates }),
  });
  const gc = new AllocGc({
    ...{ store, clock, log, dataDir },
    ended: (id) => allocs.ended(id),
    isRunning: (id) => allocs.isRunning(id),
    removeDir: (id) => removeAllocDir(dataDir, id, mounts),
    usage: async () => {
      const { UsedPercent, InodesUsedPercent } = await diskStats(dataDir);
      return { disk: UsedPercent, inodes: InodesUsedPercent };
    },
    options: gcOptions(config),
  });
  const disks = new EphemeralDiskWatch({
    ...{ clock, log, dataDir },
    running: () => allocs.running,
    emit: (id, event) => allocs.emit(id, event),
    intervalMs: config.client.disk_check_interval,
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
    access: new ExecAccess({ authority: security.authority, store, runsOnHost: (driver) => drivers.get(driver)?.isolation !== "image" }),
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
  const nodeService = new NodeService({ store, clock, log, node, change: (part) => nodes.change(part), jobs: jobs.evaluator });
  const api = createApi({
    store,
    jobs,
    namespaces: jobs.namespaces,
    specs: { validate: (job) => validator.validate(job), parse: (text, variables) => hcl.parse(text, variables) },
    events,
    allocs,
    scheduling: {
      plan: (job, plan) => jobs.rehearsal.plan(job, plan),
      scale: (key, request) => jobs.scaling.scale(key, request),
      evaluate: (key, evaluation) => jobs.evaluator.evaluate(key, evaluation),
      configure: (settings, expected) => jobs.configuration.put(settings, expected),
    },
    deployments: jobs.deployments,
    nodes: nodeService,
    gc,
    services: { deregister: (service) => store.commit([{ kind: "service-delete", service }], { refusable: true }) },
    exec,
    fs: (callerOf) => createFsRouter({ files, store, callerOf, log }),
    ...protection(security),
    agent: { version, dataDir },
    health: agentHealth({
      store,
      fault: () => disk.fault,
      warnings: () => [...store.warnings, ...adoption],
    }),
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
  undo.add(() => events.close());

  const { pid, cgroups } = await shim.start();
  log.info({ shimPid: pid, cgroups }, cgroups.startsWith("none") ? "tasks run without limits: there are no cgroups" : "shim is there");
  await nodes.start(address);
  undo.add(() => nodes.stop());
  await allocs.start();
  undo.add(() => allocs.stop());
  disks.start();
  undo.add(() => disks.stop());
  await gc.start();
  undo.add(() => gc.stop());
  await jobs.start();
  undo.add(() => jobs.stop());
  nodeService.start();
  undo.add(() => nodeService.stop());
  ready();
  log.info({ address, dataDir, nodeId: node().ID, version }, "ready");
}
