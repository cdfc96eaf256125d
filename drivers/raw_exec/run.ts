import { constants } from "node:os";
import {
  DriverError,
  type DriverState,
  type ExecListener,
  type ExecProcess,
  type ExecSpec,
  type ExitResult,
  type LostOutput,
  type TaskRun,
  type TaskUsage,
} from "../driver.js";
import type { ShimClient } from "../shim/client.js";
import { type RunInfo, type RunUser, ShimError } from "../shim/protocol.js";
import { findSessionCommand } from "./command-lookup.js";
import { cgroupMembers, descendants, processesUsage } from "./usage.js";

/** Source: reference behaviour §5.5. */
const defaultKillSignal = "SIGINT";
/** What the clients' terminals understand; the agent's own TERM says nothing of them. */
const terminalType = "xterm";

/** What a command beside the task shares with it. */
export interface RunContext {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: RunUser | null;
}

/** One run of a raw_exec task, in the shim. */
export class RawExecRun implements TaskRun {
  readonly runId: string;
  readonly state: DriverState;
  readonly exited: Promise<ExitResult>;
  readonly health = null;
  readonly #info: RunInfo;
  readonly #context: RunContext;
  readonly #searchPath: string;
  readonly #shim: ShimClient;

  constructor(info: RunInfo, context: RunContext, searchPath: string, exited: Promise<ExitResult>, shim: ShimClient) {
    this.runId = info.runId;
    this.state = { bootId: shim.hello?.bootId ?? "" };
    this.#info = info;
    this.exited = exited;
    this.#context = context;
    this.#searchPath = searchPath;
    this.#shim = shim;
  }

  async stop(signal: string, timeoutMs: number): Promise<void> {
    if (timeoutMs > 0) {
      const reached = await this.#shim.signalRun(this.runId, numberOf(signal === "" ? defaultKillSignal : signal));
      if (reached && (await this.#endsWithin(timeoutMs))) return;
    }
    await this.#shim.killRun(this.runId);
    await this.exited;
  }

  async signal(signal: string): Promise<void> {
    const reached = await this.#shim.signalRun(this.runId, numberOf(signal));
    if (!reached) throw new DriverError("Task not running", false);
  }

  async exec(spec: ExecSpec, listener: ExecListener): Promise<ExecProcess> {
    const { sessionId, tty } = spec;
    const [name = "", ...args] = spec.command;
    const { cwd, env } = this.#context;
    const command = findSessionCommand(name, cwd, this.#searchPath);
    if (command === undefined) throw new DriverError(`failed to start command: exec: "${name}": executable file not found`, false);
    const shim = this.#shim;
    const session = {
      ...this.#context,
      sessionId,
      runId: this.runId,
      argv: [command, ...args],
      env: tty ? { ...env, TERM: terminalType } : env,
      tty,
    };
    try {
      await shim.startSession(session, listener);
    } catch (error) {
      if (error instanceof ShimError) throw new DriverError(`failed to start command: ${error.message}`, false, { cause: error });
      throw error;
    }
    // A session that ended between our word and its arrival is no error of the caller's.
    const ended = (): void => {};
    return {
      stdin: (bytes, close) => shim.sessionStdin(sessionId, bytes, close).catch(ended),
      resize: ({ rows, cols }) => void shim.resizeSession(sessionId, rows, cols).catch(ended),
      ack: (bytes) => void shim.ackSession(sessionId, bytes).catch(ended),
      end: (reason) => shim.endSession(sessionId, reason).catch(ended),
    };
  }

  onOutputLost(listener: (loss: LostOutput) => void): void {
    this.#shim.onLoss(this.runId, (stream, loss) => listener({ stream, ...loss }));
  }

  async usage(): Promise<TaskUsage> {
    if (this.#info.members !== "") return processesUsage(cgroupMembers(this.#info.members));
    // The pid was not known yet when the run was started.
    const info = (await this.#shim.list()).runs.find(({ runId }) => runId === this.runId);
    return processesUsage(info && info.pid > 0 ? descendants(info.pid) : []);
  }

  async destroy(): Promise<void> {
    await this.#shim.releaseRun(this.runId);
  }

  async #endsWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, ms, false);
    });
    try {
      return await Promise.race([this.exited.then(() => true), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function numberOf(signal: string): number {
  const number = (constants.signals as Readonly<Record<string, number>>)[signal];
  if (number === undefined) throw new DriverError(`error unknown signal given for shutdown: ${signal}`, false);
  return number;
}
