import type Docker from "dockerode";
import type { Logger } from "pino";
import { DriverError, type ExecListener, type ExecProcess, type ExecSpec } from "../../driver.js";
import { engineFailure } from "../engine-failure.js";
import type { Time } from "../time.js";
import { ContainerExec } from "./container-exec.js";
import type { EngineExec } from "./engine-exec.js";
import { SessionProcesses } from "./session-processes.js";
import { NotStarted, type StartedCommand, startCommand } from "./start-command.js";
import { foundMark, notFoundMark, shell, sizedCommand, takesConsoleSize } from "./terminal-size.js";

/** How long a command may still come to run whose start was given up, and how often it is looked for. */
const lateStartMs = 120_000;
const lateLookMs = 1_000;

export interface ContainerExecRequest {
  /** Without a timeout of its own: it would end a quiet session. */
  readonly docker: Docker;
  readonly containerId: string;
  readonly spec: ExecSpec;
  /** Empty: the container's. */
  readonly user: string;
  /** Beside the container's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly listener: ExecListener;
  readonly time: Time;
  /** Bound to the allocation, the task and the session. */
  readonly log: Logger;
}

/**
 * Starts a command in a container.
 *
 * @throws DriverError when it can not be started, as when there is no such command.
 */
export async function startContainerExec(request: ContainerExecRequest): Promise<ExecProcess> {
  const { spec } = request;
  const processes = new SessionProcesses(spec.sessionId, request);
  const { command, sized } = await start(request, processes);
  processes.started(command.state.pid);
  const exec = new ContainerExec(command, spec.tty !== null, { ...request, processes });
  if (spec.tty && !sized) exec.resize(spec.tty);
  return exec;
}

interface Start {
  readonly command: StartedCommand;
  /** Whether its terminal has its size. */
  readonly sized: boolean;
}

async function start(
  { docker, containerId, spec, user, env, time, log }: ContainerExecRequest,
  processes: SessionProcesses,
): Promise<Start> {
  const { command, tty, sessionId } = spec;
  const common = { tty: tty !== null, size: tty, user, env: { ...env, ...processes.env } };
  const abandoned = (exec: EngineExec): void => {
    void endWhenStarted(exec, processes, time);
  };
  const takesSize = tty === null || (await sizesTerminals(docker));
  if (!takesSize) {
    const mark = { found: foundMark(sessionId), notFound: notFoundMark(sessionId), command: command[0] ?? "" };
    try {
      const sized = sizedCommand(command, tty, sessionId);
      return { command: await startCommand(docker, containerId, { ...common, command: sized }, { mark, time, abandoned }), sized: true };
    } catch (error) {
      if (!(error instanceof NotStarted) || !error.message.includes(`exec: "${shell}"`)) throw error;
      log.debug("the container has no shell: the size of the terminal comes late");
    }
  }
  return { command: await startCommand(docker, containerId, { ...common, command }, { mark: null, time, abandoned }), sized: takesSize };
}

async function sizesTerminals(docker: Docker): Promise<boolean> {
  try {
    return takesConsoleSize((await docker.version()).ApiVersion);
  } catch (error) {
    throw new DriverError(`failed to create exec object: ${engineFailure(error).message}`, false, { cause: error });
  }
}

/** A command whose client was told that it did not start must not run on. */
async function endWhenStarted(exec: EngineExec, processes: SessionProcesses, time: Time): Promise<void> {
  for (const limit = time.monotonicMs() + lateStartMs; time.monotonicMs() < limit; await time.sleep(lateLookMs)) {
    const state = await exec.state().catch(() => undefined);
    if (state && state.pid > 0) processes.started(state.pid);
    if (state && (state.pid > 0 || state.exitCode !== null)) break;
  }
  await processes.end();
}
