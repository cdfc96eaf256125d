import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type Docker from "dockerode";
import type { Logger } from "pino";
import type { DriverInfo } from "../../agent/model/node.js";
import type { DriverNetwork } from "../../agent/model/service-address.js";
import {
  type AllocLookup,
  type Driver,
  DriverError,
  type DriverState,
  type Recovery,
  type StartContext,
  type TaskRun,
  type TaskSpec,
} from "../driver.js";
import { type DockerTaskConfig, parseTaskConfig } from "./config/task-config.js";
import { createOptions } from "./container/create-options.js";
import { hostPath } from "./container/host-paths.js";
import { networking } from "./container/networking.js";
import { Containers } from "./containers.js";
import { Engine } from "./engine/engine.js";
import { EngineError, engineError, isEngineDown, isUnreachable } from "./engine/engine-error.js";
import { inspect } from "./exit-watch.js";
import { fingerprintEngine } from "./fingerprint.js";
import { HealthEvents } from "./health-events.js";
import { type FoundImage, ImageStore } from "./images/image-store.js";
import { driverNetwork } from "./network/driver-network.js";
import { DockerGroupNetworks } from "./network/group-networks.js";
import type { DockerHost, DockerOptions } from "./options.js";
import { RunFactory } from "./run-factory.js";
import { Sweep } from "./sweep.js";
import type { WallTime } from "./wall-time.js";

export interface DockerDriverDeps {
  readonly options: DockerOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the driver keeps what it has to know after a restart; made when it is not there. */
  readonly stateDir: string;
  readonly host: () => DockerHost;
  readonly time: WallTime;
  readonly log: Logger;
}

/** How long a start waits for an engine that is away, as it is while it restarts, and how often it looks. */
const patienceMs = 60_000;
const lookMs = { first: 100, most: 2_000 };
/** How often a pull says how far it is. Source: reference behaviour §6.4. */
const pullProgressMs = 120_000;

/** Containers of a Docker engine, or of what speaks like one. */
export class DockerDriver implements Driver {
  readonly name = "docker";
  readonly isolation = "image";
  readonly networks: DockerGroupNetworks;
  readonly #deps: DockerDriverDeps;
  readonly #engine: Engine;
  readonly #containers: Containers;
  readonly #runs: RunFactory;
  readonly #images: ImageStore;
  readonly #health: HealthEvents;
  readonly #sweep: Sweep;
  readonly #closing = new AbortController();
  /** By run id: two that start one run at once would both write its output down. */
  readonly #starting = new Map<string, Promise<TaskRun>>();
  #wasThere = false;

  /** @throws Error for an endpoint that is none. */
  constructor(deps: DockerDriverDeps) {
    this.#deps = deps;
    const { options, time, log, stateDir } = deps;
    const nodeId = (): string => deps.host().nodeId;
    const engine = new Engine(options, deps.env);
    this.#engine = engine;
    this.#containers = new Containers({ engine, nodeId, time, log });
    this.#images = new ImageStore({
      docker: () => engine.docker(),
      time,
      log,
      options: {
        gc: { enabled: options.gc.image, delayMs: options.gc.imageDelayMs },
        auth: { config: options.auth.config, helper: options.auth.helper, env: deps.env },
        stallMs: options.pullActivityTimeoutMs,
        progressMs: pullProgressMs,
      },
    });
    this.#health = new HealthEvents({ engine, nodeId, time, log });
    this.#runs = new RunFactory({
      engine,
      containers: this.#containers,
      images: this.#images,
      health: this.#health,
      keepsContainers: !options.gc.container,
      collectsLogs: !options.disableLogCollection,
      positionDir: stateDir,
      time,
      log,
      signal: this.#closing.signal,
    });
    this.networks = new DockerGroupNetworks({
      engine,
      options,
      images: this.#images,
      nodeId,
      patiently: (signal, work) => this.#patiently(signal, work),
      log,
    });
    this.#sweep = new Sweep({
      engine,
      nodeId,
      options: options.gc.dangling,
      isLive: (runId) => this.#starting.has(runId) || this.#runs.isLive(runId),
      positionDir: stateDir,
      time,
      log,
    });
    if (options.enabled) mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  }

  async fingerprint(): Promise<DriverInfo> {
    const { options, time } = this.#deps;
    if (!options.enabled) {
      return { Attributes: {}, Detected: false, Healthy: false, HealthDescription: "disabled", UpdateTime: time.now() };
    }
    const info = await fingerprintEngine(this.#engine, options, this.#wasThere, () => time.now());
    this.#wasThere = info.Detected;
    return info;
  }

  validate(config: Readonly<Record<string, unknown>>): void {
    parseTaskConfig(config);
  }

  async start(spec: TaskSpec, context: StartContext): Promise<TaskRun> {
    const { options, host } = this.#deps;
    if (!options.enabled) throw new DriverError("docker is disabled", false);
    const config = parseTaskConfig(spec.config);
    const create = createOptions(spec, config, options, host());
    const { runId } = spec;
    const underWay = this.#starting.get(runId);
    if (underWay) return underWay;
    const starting = this.#patiently(context.signal, () => this.#start(spec, config, create, context));
    this.#starting.set(runId, starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(runId);
    }
  }

  async recover(state: DriverState | null, spec: TaskSpec): Promise<Recovery> {
    const id = typeof state?.containerId === "string" ? state.containerId : null;
    const found = id === null ? await this.#containers.ofRun(spec) : await this.#containers.find(id);
    if (!found) return { outcome: "lost", reason: "unknown: the container is gone" };
    if (found.State.Status === "created") {
      // Made, and never started: nothing of it is worth keeping.
      await this.#containers.remove(found.Id);
      return { outcome: "lost", reason: "unknown: the container was not started" };
    }
    return { outcome: "found", run: this.#runs.takeUp(spec, found, state) };
  }

  async removeForgotten(allocs: AllocLookup): Promise<void> {
    if (this.#deps.options.enabled) await this.#sweep.keepClean(allocs, this.#closing.signal);
  }

  /** Lets go of all containers, which run on. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#health.close();
    await Promise.all([this.#runs.close(), this.#images.close()]);
  }

  async #start(
    spec: TaskSpec,
    config: DockerTaskConfig,
    create: Docker.ContainerCreateOptions & { readonly name: string },
    context: StartContext,
  ): Promise<TaskRun> {
    const { options } = this.#deps;
    const image = await this.#image(spec, config, context);
    try {
      if (spec.network.mode === "bridge" && config.networkMode === "") await this.networks.revive(spec.allocId);
      const attempts = config.containerExistsAttempts ?? options.containerExistsAttempts;
      const { id, known } = await this.#containers.create(create, spec, attempts, context.signal);
      if (known && known.State.Status !== "created") return this.#runs.takeUp(spec, known, { image: { ...image, config: null } });
      return await this.#begin(spec, config, id, image);
    } catch (error) {
      this.#images.release(spec.runId);
      throw error;
    }
  }

  /** Starts a container that was made. One that does not start is removed again, unless the agent ends meanwhile. */
  async #begin(spec: TaskSpec, config: DockerTaskConfig, id: string, image: FoundImage): Promise<TaskRun> {
    const prepared = await this.#runs.prepare(spec, config, id, image);
    try {
      await this.#engine
        .call("start container", (docker, abortSignal) => docker.getContainer(id).start({ abortSignal }))
        .catch((error: unknown) => this.#checkStarted(id, error));
      return prepared.started(await this.#network(spec, config, id));
    } catch (error) {
      await prepared.discard();
      if (!isEngineDown(error) && !this.#closing.signal.aborted) await this.#containers.remove(id).catch(() => {});
      throw error;
    }
  }

  /** Known only now that it runs, and asked for only where it has a network of its own. */
  async #network(spec: TaskSpec, config: DockerTaskConfig, id: string): Promise<DriverNetwork | undefined> {
    const mode = String(networking(spec, config).host.NetworkMode);
    if (mode === "host" || mode === "none" || mode.startsWith("container:")) return undefined;
    // One that has ended already is no failure of its start.
    return inspect(this.#engine, id).then(
      (found) => driverNetwork(spec, found),
      () => undefined,
    );
  }

  /** A call that went wrong may have started it all the same. Source of the text: reference behaviour §6.5. */
  async #checkStarted(id: string, error: unknown): Promise<void> {
    if (!(error instanceof EngineError)) throw error;
    // Of two that start it at once the second is told that nothing had to be done.
    if (error.kind === "unchanged") return;
    if (isEngineDown(error) && (await this.#containers.find(id))?.State.Running) return;
    const { kind, said, message } = error;
    throw new EngineError(kind, said, isEngineDown(error) ? message : `Failed to start container ${id}: ${said}`, { cause: error });
  }

  #image(spec: TaskSpec, config: DockerTaskConfig, { message, signal }: StartContext): Promise<FoundImage> {
    const { auth, load } = config;
    const request = {
      image: config.image,
      ...(auth === null ? {} : { auth }),
      authSoftFail: config.authSoftFail,
      forcePull: config.forcePull,
      ...(load === "" ? {} : { load: hostPath(join(spec.dirs.local, load), spec.dirs, false) }),
      pullTimeoutMs: config.imagePullTimeoutMs ?? this.#deps.options.imagePullTimeoutMs,
      owner: spec.runId,
    };
    return this.#images
      .ensure(request, (text) => message(text, { image: config.image }), signal)
      .catch((error: DriverError) => {
        throw isUnreachable(error.cause) ? engineError(`image ${config.image}`, error.cause, 0) : error;
      });
  }

  /** Does it again while the engine is away: that it restarts is no failure of the task's. */
  async #patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { time, log } = this.#deps;
    const deadline = time.monotonicMs() + patienceMs;
    for (let wait = lookMs.first; ; wait = Math.min(2 * wait, lookMs.most)) {
      try {
        return await work();
      } catch (error) {
        if (!isEngineDown(error) || signal.aborted || time.monotonicMs() > deadline) throw error;
        log.info({ reason: error.message }, "waiting for the engine");
      }
      await time.sleep(wait, signal);
    }
  }
}
