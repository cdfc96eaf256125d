import { join } from "node:path";
import type Docker from "dockerode";
import type { Logger } from "pino";
import type { DriverNetwork } from "../../agent/model/service-address.js";
import type { DriverState, HealthState, TaskSpec } from "../driver.js";
import type { DockerTaskConfig } from "./config/task-config.js";
import type { Containers } from "./containers.js";
import type { Engine } from "./engine/engine.js";
import { type ContainerExit, inspect, registerWait, watchExit } from "./exit-watch.js";
import { type HealthEvents, healthOf } from "./health-events.js";
import type { FoundImage, ImageStore } from "./images/image-store.js";
import { ContainerLogs } from "./logs/container-logs.js";
import { stampOf } from "./logs/log-message.js";
import { OutputLog } from "./logs/output-log.js";
import { driverNetwork } from "./network/driver-network.js";
import { DockerRun, defaultStopSignal } from "./run.js";
import type { WallTime } from "./wall-time.js";

export interface RunFactoryDeps {
  readonly engine: Engine;
  readonly containers: Containers;
  readonly images: ImageStore;
  readonly health: HealthEvents;
  /** Whether containers stay after their end, for somebody to look at. */
  readonly keepsContainers: boolean;
  readonly collectsLogs: boolean;
  readonly positionDir: string;
  readonly time: WallTime;
  readonly log: Logger;
  /** Aborted when the agent ends. */
  readonly signal: AbortSignal;
}

type HeldImage = Pick<FoundImage, "id" | "isOurs">;

interface Started {
  readonly id: string;
  readonly stopSignal: string;
  /** Null: it has no health check. */
  readonly health: HealthState | null;
  /** Where its services may be found, when it has an address of its own. */
  readonly network: DriverNetwork | undefined;
}

const bytesPerMiB = 1024 * 1024;

/** A run whose container was made: everything that has to be there before it starts is. */
export interface PreparedRun {
  /** It was started. */
  started(network: DriverNetwork | undefined): DockerRun;
  /** It did not start. */
  discard(): Promise<void>;
}

/** Makes runs of containers, and keeps hold of those that are there. */
export class RunFactory {
  readonly #deps: RunFactoryDeps;
  /** By run id. */
  readonly #logs = new Map<string, ContainerLogs | null>();

  constructor(deps: RunFactoryDeps) {
    this.#deps = deps;
  }

  isLive(runId: string): boolean {
    return this.#logs.has(runId);
  }

  /** @throws EngineError. */
  async prepare(spec: TaskSpec, config: DockerTaskConfig, containerId: string, image: FoundImage): Promise<PreparedRun> {
    const discarded = new AbortController();
    const signal = AbortSignal.any([discarded.signal, this.#deps.signal]);
    const output = this.#output(spec, containerId);
    const logs = output && this.#containerLogs(spec, containerId, config.tty, output);
    try {
      await logs?.attach();
    } catch (error) {
      output?.close(true);
      throw error;
    }
    const { engine, time } = this.#deps;
    const exit = registerWait({ engine, containerId, time, log: this.#log(spec), signal }, "next-exit");
    return {
      started: (network) => {
        logs?.follow();
        return this.#run(spec, { id: containerId, network, ...promised(image, config) }, image, this.#end(containerId, exit), logs, output);
      },
      discard: async () => {
        discarded.abort();
        await logs?.finish();
        output?.close(true);
      },
    };
  }

  /** A container that was started before, and may have ended meanwhile. */
  takeUp(spec: TaskSpec, found: Docker.ContainerInspectInfo, state: DriverState | null): DockerRun {
    const image = heldImage(state);
    if (image) this.#deps.images.hold(spec.runId, found.Config.Image, image);
    const output = this.#output(spec, found.Id);
    const logs = output && this.#containerLogs(spec, found.Id, found.Config.Tty, output);
    logs?.follow();
    const stopSignal = (found.Config as { StopSignal?: string }).StopSignal || defaultStopSignal;
    const health = healthOf(found.State, this.#deps.time.now());
    return this.#run(spec, { id: found.Id, stopSignal, health, network: driverNetwork(spec, found) }, image, null, logs, output);
  }

  /** A container that has ended before the engine knew of our wait has no next exit. */
  async #end(containerId: string, waiting: Promise<number>): Promise<number> {
    const seen = inspect(this.#deps.engine, containerId).then(
      ({ State }) => (State.Running ? waiting : State.ExitCode),
      () => waiting,
    );
    return Promise.race([waiting, seen]);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((logs) => logs?.close()));
    this.#logs.clear();
  }

  #run(
    spec: TaskSpec,
    container: Started,
    image: HeldImage | null,
    registered: Promise<number> | null,
    logs: ContainerLogs | null,
    output: OutputLog | null,
  ): DockerRun {
    const { engine, containers, images, health, keepsContainers, time, signal } = this.#deps;
    const { runId } = spec;
    const log = this.#log(spec);
    this.#logs.set(runId, logs);
    const ended = new Promise<ContainerExit>((resolve) => {
      const watched = watchExit({ engine, containerId: container.id, time, log, signal }, registered);
      void watched.then(async (exit) => {
        if (exit === null) return;
        health.forget(container.id);
        await logs?.finish();
        resolve(exit);
      });
    });
    return new DockerRun({
      engine,
      runId,
      containerId: container.id,
      image,
      stopSignal: container.stopSignal,
      ended,
      health: container.health && health.watch(container.id, container.health),
      network: container.network,
      time,
      log,
      signal,
      remove: async () => {
        if (!keepsContainers) await containers.remove(container.id);
        output?.close(true);
        images.release(runId);
        this.#logs.delete(runId);
      },
    });
  }

  /** Null: the task wants no logs, or nobody can have them. */
  #output(spec: TaskSpec, containerId: string): OutputLog | null {
    const { collectsLogs, positionDir, time } = this.#deps;
    if (spec.logs.Disabled || !collectsLogs) return null;
    const log = this.#log(spec);
    try {
      return new OutputLog({
        dir: spec.dirs.logs,
        task: spec.task,
        maxFiles: spec.logs.MaxFiles,
        maxFileBytes: spec.logs.MaxFileSizeMB * bytesPerMiB,
        positionFile: join(positionDir, `${containerId}.json`),
        now: () => stampOf(time.now()),
        log,
      });
    } catch (error) {
      log.error({ err: error }, "the task's output is lost: its log can not be opened");
      return null;
    }
  }

  #containerLogs(spec: TaskSpec, containerId: string, tty: boolean, output: OutputLog): ContainerLogs {
    const { engine, time } = this.#deps;
    return new ContainerLogs({ engine, containerId, tty, output, time, log: this.#log(spec) });
  }

  #log({ allocId, task }: TaskSpec): Logger {
    return this.#deps.log.child({ allocId, task });
  }
}

/** What is known of a container that was just started, without asking the engine. */
function promised({ config }: FoundImage, { healthchecksDisabled }: DockerTaskConfig): Omit<Started, "id" | "network"> {
  const { StopSignal, Healthcheck } = config as { StopSignal?: string; Healthcheck?: { Test?: readonly string[] } };
  const isChecked = !healthchecksDisabled && (Healthcheck?.Test?.length ?? 0) > 0 && Healthcheck?.Test?.[0] !== "NONE";
  return { stopSignal: StopSignal || defaultStopSignal, health: isChecked ? { status: "starting", since: 0n, output: "" } : null };
}

/** What an earlier agent has stored of the run's image. */
function heldImage(state: DriverState | null): HeldImage | null {
  const image = state?.image as Partial<HeldImage> | null | undefined;
  return typeof image?.id === "string" ? { id: image.id, isOurs: image.isOurs === true } : null;
}
