import type Docker from "dockerode";
import type { Logger } from "pino";
import { DriverError, type TaskSpec } from "../driver.js";
import { containerName, labelNames } from "./container/names.js";
import type { Engine } from "./engine/engine.js";
import { EngineError, engineError, isGone } from "./engine/engine-error.js";
import { inspect } from "./exit-watch.js";
import type { WallTime } from "./wall-time.js";

export type CreateOptions = Docker.ContainerCreateOptions & { readonly name: string };

export interface ContainersDeps {
  readonly engine: Engine;
  readonly nodeId: () => string;
  readonly time: WallTime;
  readonly log: Logger;
}

const conflictRetryMs = { first: 50, most: 5_000 };

/** The containers of runs: made once, found by their labels, removed with their volumes. */
export class Containers {
  readonly #deps: ContainersDeps;

  constructor(deps: ContainersDeps) {
    this.#deps = deps;
  }

  /**
   * Makes the container of a run, or finds it: a name is given once.
   *
   * @param attempts how often a name that is taken is made free. Source: reference behaviour §6.5.
   * @param signal aborted when it is not wanted any more.
   * @returns its id, and whether it was there before.
   * @throws DriverError.
   */
  async create(
    options: CreateOptions,
    spec: TaskSpec,
    attempts: number,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly known: Docker.ContainerInspectInfo | null }> {
    const { engine, time } = this.#deps;
    for (let attempt = 1, wait = conflictRetryMs.first; ; attempt++, wait = Math.min(2 * wait, conflictRetryMs.most)) {
      try {
        const { id } = await engine.call("create container", (docker, abortSignal) => docker.createContainer({ ...options, abortSignal }));
        return { id, known: null };
      } catch (error) {
        if (!(error instanceof EngineError) || error.kind !== "conflict") throw createFailure(error);
        const known = await this.find(options.name);
        if (known && known.Config.Labels[labelNames.run] === spec.runId) return { id: known.Id, known };
        if (known) await this.#makeRoom(known, spec);
        if (attempt >= attempts) throw createFailure(error);
        await time.sleep(wait, signal);
        if (signal.aborted) throw new DriverError("the task is not wanted any more", false);
      }
    }
  }

  /** The container of a run, wherever it is. */
  async ofRun({ runId, task, allocId }: TaskSpec): Promise<Docker.ContainerInspectInfo | undefined> {
    const found = await this.find(containerName(task, allocId));
    return found?.Config.Labels[labelNames.run] === runId ? found : undefined;
  }

  async find(nameOrId: string): Promise<Docker.ContainerInspectInfo | undefined> {
    try {
      return await inspect(this.#deps.engine, nameOrId);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Removes it with its own volumes, running or not. @throws EngineError. */
  async remove(containerId: string): Promise<void> {
    try {
      await this.#deps.engine.call("remove container", (docker, abortSignal) =>
        docker.getContainer(containerId).remove({ force: true, v: true, abortSignal }),
      );
    } catch (error) {
      if (isGone(error) || (error instanceof EngineError && /already in progress/.test(error.said))) return;
      throw error;
    }
  }

  /** What is left of the task's earlier runs goes; what is somebody else's stays. */
  async #makeRoom({ Id, Config: { Labels }, Name }: Docker.ContainerInspectInfo, { task, allocId }: TaskSpec): Promise<void> {
    const isOurs =
      Labels[labelNames.alloc] === allocId && Labels[labelNames.node] === this.#deps.nodeId() && Labels[labelNames.task] === task;
    if (!isOurs)
      throw new DriverError(
        `failed to create container: the name ${Name.slice(1)} is taken by container ${Id.slice(0, 12)}, which is not ours`,
        true,
      );
    this.#deps.log.info({ containerId: Id }, "removing the container of an earlier run");
    await this.remove(Id);
  }
}

function createFailure(thrown: unknown): DriverError {
  const error = engineError("create container", thrown, 0);
  return new EngineError(error.kind, error.said, `failed to create container: ${error.said || error.message}`, { cause: error });
}
