import { constants } from "node:os";
import type { Logger } from "pino";
import type { DriverNetwork } from "../../agent/model/service-address.js";
import {
  DriverError,
  type DriverState,
  type ExecListener,
  type ExecProcess,
  type ExecSpec,
  type ExitResult,
  type RunHealth,
  type TaskRun,
  type TaskUsage,
} from "../driver.js";
import type { Engine } from "./engine/engine.js";
import { EngineError, isEngineDown, isGone } from "./engine/engine-error.js";
import { startContainerExec } from "./exec/start-container-exec.js";
import type { ContainerExit } from "./exit-watch.js";
import { type EngineStats, sampleOf } from "./usage.js";
import type { WallTime } from "./wall-time.js";

export interface DockerRunDeps {
  readonly engine: Engine;
  readonly runId: string;
  readonly containerId: string;
  /** What its image is, for whoever takes it up. */
  readonly image: { readonly id: string; readonly isOurs: boolean } | null;
  /** What the image, or the engine, ends its processes with. */
  readonly stopSignal: string;
  /** Resolves when the container has ended and its output is in the log files; never when the agent ends first. */
  readonly ended: Promise<ContainerExit>;
  readonly health: RunHealth | null;
  readonly network: DriverNetwork | undefined;
  readonly time: WallTime;
  readonly log: Logger;
  /** Aborted when the agent ends. */
  readonly signal: AbortSignal;
  /** Removes what the driver itself keeps of the run, and the container unless that is to be kept. */
  readonly remove: () => Promise<void>;
}

/** Source: the engine's own default. */
export const defaultStopSignal = "SIGTERM";
const engineRetryMs = 2_000;
/** How long a killed container may take to end; more means that the kernel can not end it. */
const killMs = 15_000;

/** One run of a docker task: one container. */
export class DockerRun implements TaskRun {
  readonly runId: string;
  readonly state: DriverState;
  readonly exited: Promise<ExitResult>;
  readonly health: RunHealth | null;
  readonly network?: DriverNetwork;
  readonly #deps: DockerRunDeps;
  /** Numbers of signals that we have sent: an exit code says which of them was the last. */
  readonly #sent = new Set<number>();
  #isOver = false;

  constructor(deps: DockerRunDeps) {
    this.#deps = deps;
    this.runId = deps.runId;
    const { containerId, image } = deps;
    this.state = { containerId, image: image && { id: image.id, isOurs: image.isOurs } };
    this.health = deps.health;
    if (deps.network) this.network = deps.network;
    this.exited = deps.ended.then((exit) => {
      this.#isOver = true;
      return this.#result(exit);
    });
  }

  /** Source: reference behaviour §6.7. The engine's own stop knows whole seconds only. */
  async stop(signal: string, timeoutMs: number): Promise<void> {
    if (timeoutMs > 0) {
      await this.#insist(() => this.#kill(signal || this.#deps.stopSignal));
      if (await this.#endsWithin(timeoutMs)) return;
    }
    await this.#insist(() => this.#kill("SIGKILL"));
    if (!(await this.#endsWithin(killMs)))
      throw new DriverError(`Failed to stop container ${this.#deps.containerId}: it has not ended ${killMs / 1000} s after SIGKILL`, true);
  }

  async signal(signal: string): Promise<void> {
    if (this.#isOver || !(await this.#kill(signal))) throw new DriverError("Task not running", false);
  }

  async exec(spec: ExecSpec, listener: ExecListener): Promise<ExecProcess> {
    const { engine, containerId, time, log } = this.#deps;
    const docker = await engine.docker();
    // The container's own user and variables.
    return startContainerExec({ docker, containerId, spec, user: "", listener, time, log });
  }

  async usage(): Promise<TaskUsage> {
    const { engine, containerId } = this.#deps;
    const stats = await engine.call("read container's statistics", (docker, abortSignal) => {
      const options = { stream: false, "one-shot": true, abortSignal };
      return docker.getContainer(containerId).stats(options as { stream: false });
    });
    return { total: sampleOf(stats as unknown as EngineStats), processes: null };
  }

  async destroy(): Promise<void> {
    await this.#deps.remove();
  }

  /** @returns whether there was anything to reach. @throws EngineError. */
  async #kill(signal: string): Promise<boolean> {
    const { engine, containerId } = this.#deps;
    const number = (constants.signals as Readonly<Record<string, number>>)[signal];
    if (number === undefined) throw new DriverError(`error unknown signal given for shutdown: ${signal}`, false);
    // Before it is sent: the container may have ended by the time that the engine says so.
    this.#sent.add(number);
    try {
      await engine.call("signal container", (docker, abortSignal) => docker.getContainer(containerId).kill({ signal, abortSignal }));
      return true;
    } catch (error) {
      if (isGone(error) || (error instanceof EngineError && /is not running/.test(error.said))) return false;
      if (!(error instanceof EngineError && /is paused/.test(error.said))) throw error;
      // A paused container takes no signal, and nobody would wake it.
      await engine.call("unpause container", (docker, abortSignal) => docker.getContainer(containerId).unpause({ abortSignal }));
      return this.#kill(signal);
    }
  }

  /** An engine that is away can not stop anything, and a task is not given up for that: until it is back, or the agent ends. */
  async #insist(work: () => Promise<unknown>): Promise<void> {
    const { time, log, signal } = this.#deps;
    while (!this.#isOver && !signal.aborted) {
      try {
        await work();
        return;
      } catch (error) {
        if (!isEngineDown(error)) throw error;
        log.warn({ reason: error.message }, "the container can not be stopped until the engine is back");
        await time.sleep(engineRetryMs, signal);
      }
    }
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const { time, signal } = this.#deps;
    const enough = new AbortController();
    const late = time.sleep(ms, AbortSignal.any([enough.signal, signal])).then(() => signal.aborted);
    const inTime = await Promise.race([this.exited.then(() => true), late]);
    enough.abort();
    return inTime;
  }

  /** Source of the texts: reference behaviour §6.7. The engine does not tell a signal from an exit code above 128, so we tell only our own. */
  #result({ exitCode, oomKilled, error }: ContainerExit): ExitResult {
    const signal = exitCode > 128 && this.#sent.has(exitCode - 128) ? exitCode - 128 : 0;
    const usual = oomKilled ? "OOM Killed" : exitCode === 0 ? "" : `Docker container exited with non-zero exit code: ${exitCode}`;
    return { exitCode, signal, oomKilled, error: error || usual };
  }
}
