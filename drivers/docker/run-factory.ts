import { join } from "node:path";
import type Docker from "dockerode";
import type { Logger } from "pino";
import type { DriverState, TaskSpec } from "../driver.js";
import type { Containers } from "./containers.js";
import type { Engine } from "./engine/engine.js";
import { type ContainerExit, inspect, registerWait, watchExit } from "./exit-watch.js";
import type { HealthEvents } from "./health-events.js";
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

const bytesPerMiB = 1024 * 1024;

/** A run whose container was made: everything that has to be there before it starts is. */
export interface PreparedRun {
  /** It was started. @throws EngineError. */
  started(): Promise<DockerRun>;
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
  async prepare(spec: TaskSpec, containerId: string, image: HeldImage): Promise<PreparedRun> {
    const discarded = new AbortController();
    const signal = AbortSignal.any([discarded.signal, this.#deps.signal]);
    const output = this.#output(spec, containerId);
    const logs = output && this.#containerLogs(spec, containerId, Boolean(spec.config.tty === true || spec.config.tty === "true"), output);
    try {
      await logs?.attach();
    } catch (error) {
      output?.close(true);
      throw error;
    }
    const { engine, time } = this.#deps;
    const exit = registerWait({ engine, containerId, time, log: this.#log(spec), signal }, "next-exit");
    return {
      started: async () => {
        logs?.follow();
        const found = await inspect(this.#deps.engine, containerId);
        // One that has ended already has no next exit.
        const ended = found.State.Running ? exit : Promise.resolve(found.State.ExitCode);
        return this.#run(spec, found, image, ended, logs, output);
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
    return this.#run(spec, found, image, null, logs, output);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((logs) => logs?.close()));
    this.#logs.clear();
  }

  #run(
    spec: TaskSpec,
    found: Docker.ContainerInspectInfo,
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
      const watched = watchExit({ engine, containerId: found.Id, time, log, signal }, registered);
      void watched.then(async (exit) => {
        if (exit === null) return;
        health.forget(found.Id);
        await logs?.finish();
        resolve(exit);
      });
    });
    return new DockerRun({
      engine,
      runId,
      containerId: found.Id,
      image,
      stopSignal: (found.Config as { StopSignal?: string }).StopSignal || defaultStopSignal,
      ended,
      health: found.State.Running ? health.watch(found) : null,
      network: driverNetwork(spec, found),
      time,
      log,
      signal,
      remove: async () => {
        if (!keepsContainers) await containers.remove(found.Id);
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

/** What an earlier agent has stored of the run's image. */
function heldImage(state: DriverState | null): HeldImage | null {
  const image = state?.image as Partial<HeldImage> | null | undefined;
  return typeof image?.id === "string" ? { id: image.id, isOurs: image.isOurs === true } : null;
}
