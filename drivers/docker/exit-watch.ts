import type Docker from "dockerode";
import type { Logger } from "pino";
import type { Engine } from "./engine/engine.js";
import { isGone } from "./engine/engine-error.js";
import type { WallTime } from "./wall-time.js";

/** How a container ended. */
export interface ContainerExit {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** The engine's own words, or ours when the container is gone. */
  readonly error: string;
}

export interface ExitWatchDeps {
  readonly engine: Engine;
  readonly containerId: string;
  readonly time: WallTime;
  readonly log: Logger;
  /** Aborted when the agent ends. */
  readonly signal: AbortSignal;
}

const retryMs = { first: 100, most: 5_000 };
/** A container that is not there any more has taken its exit code with it. */
const unknownExitCode = -1;

/**
 * Waits for a container's end for as long as it takes: an engine that is away says nothing of the container.
 *
 * @param registered a wait of the engine's that began before the container was started, or null to begin one.
 * @returns null when the agent ends first.
 */
export async function watchExit(deps: ExitWatchDeps, registered: Promise<number> | null): Promise<ContainerExit | null> {
  const { engine, containerId, time, log, signal } = deps;
  let waiting = registered ?? registerWait(deps, "not-running");
  for (let delay = retryMs.first; !signal.aborted; delay = Math.min(2 * delay, retryMs.most)) {
    let code = unknownExitCode;
    try {
      code = await waiting;
      delay = retryMs.first;
    } catch (error) {
      if (signal.aborted) return null;
      if (!isGone(error)) log.info({ reason: (error as Error).message }, "the container's end can not be waited for; looking again");
    }
    try {
      const { State } = await inspect(engine, containerId);
      if (!State.Running) return { exitCode: State.ExitCode, oomKilled: State.OOMKilled, error: State.Error };
    } catch (error) {
      if (isGone(error)) return { exitCode: code, oomKilled: false, error: "the container was removed behind the agent's back" };
      await time.sleep(delay, signal);
    }
    waiting = registerWait(deps, "not-running");
  }
  return null;
}

/** @returns resolves with the exit code. It has to be awaited, or it fails unheard. */
export function registerWait({ engine, containerId, signal }: ExitWatchDeps, condition: "next-exit" | "not-running"): Promise<number> {
  const waiting = engine.wait(containerId, condition, signal);
  waiting.catch(() => {});
  return waiting;
}

export const inspect = (engine: Engine, nameOrId: string): Promise<Docker.ContainerInspectInfo> =>
  engine.call("inspect container", (docker, abortSignal) => docker.getContainer(nameOrId).inspect({ abortSignal }));
