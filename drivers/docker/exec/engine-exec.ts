import { Socket } from "node:net";
import type Docker from "dockerode";
import { DriverError, type TerminalSize } from "../../driver.js";
import { engineFailure } from "../engine-failure.js";

/** Milliseconds that one call may take; starting a command is no call in this sense. */
const callLimitMs = 30_000;

/**
 * The engine looks for keys in a terminal's input that make it let go of the command, Control-P Control-Q if none are given,
 * and holds the first of them back until it has seen the next (moby#15666, kubectl#693). It can not be told to let that be
 * (docker/for-linux#528): nobody types these, and what is held back is a NUL, which programs answer with nothing to see.
 */
const detachKeys = Array.from({ length: 8 }, () => ["ctrl-@", "ctrl-_", "ctrl-^"])
  .flat()
  .join(",");

export interface EngineExecSpec {
  readonly command: readonly string[];
  readonly tty: boolean;
  /** Only for engines that take it. */
  readonly size: TerminalSize | null;
  /** Empty: the container's. */
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface EngineExecState {
  readonly running: boolean;
  /** Null until it has ended. */
  readonly exitCode: number | null;
  /** On the engine's host. 0 for a command that was never started. */
  readonly pid: number;
}

/** The engine's side of one command in a container. */
export class EngineExec {
  readonly #exec: Docker.Exec;
  readonly #spec: EngineExecSpec;

  private constructor(exec: Docker.Exec, spec: EngineExecSpec) {
    this.#exec = exec;
    this.#spec = spec;
  }

  /** @throws DriverError with Nomad's text. */
  static async create(docker: Docker, containerId: string, spec: EngineExecSpec): Promise<EngineExec> {
    try {
      const exec = await docker.getContainer(containerId).exec({
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Tty: spec.tty,
        DetachKeys: detachKeys,
        Cmd: [...spec.command],
        Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
        ...(spec.user !== "" && { User: spec.user }),
        ...(spec.size && { ConsoleSize: [spec.size.rows, spec.size.cols] }),
        abortSignal: AbortSignal.timeout(callLimitMs),
      });
      return new EngineExec(exec, spec);
    } catch (error) {
      throw refused("failed to create exec object", error);
    }
  }

  /**
   * Starts the command. That the engine agrees does not mean that it runs: only a pid does.
   *
   * @returns the raw connection: `end()` of it closes the command's stdin and nothing else.
   * @throws DriverError with Nomad's text.
   */
  async start(): Promise<Socket> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), callLimitMs);
    try {
      const { tty, size } = this.#spec;
      // Without `hijack` dockerode gives a stream whose end() destroys the connection, and that ignores backpressure.
      const options = {
        hijack: true,
        stdin: true,
        Tty: tty,
        ...(size && { ConsoleSize: [size.rows, size.cols] }),
        abortSignal: late.signal,
      };
      const stream = await this.#exec.start(options);
      if (stream instanceof Socket) return stream;
      stream.destroy();
      throw new Error("the engine does not give the connection away");
    } catch (error) {
      throw refused("failed to attach to exec", error);
    } finally {
      // The signal must not fire later: it would end the command's connection.
      clearTimeout(timer);
    }
  }

  /** @throws the client's error. */
  async state(): Promise<EngineExecState> {
    const { Running, ExitCode, Pid } = await this.#exec.inspect({ abortSignal: AbortSignal.timeout(callLimitMs) });
    return { running: Running, exitCode: ExitCode, pid: Pid };
  }

  /** @throws the client's error. */
  async resize(size: TerminalSize): Promise<void> {
    await this.#exec.resize({ h: size.rows, w: size.cols, abortSignal: AbortSignal.timeout(callLimitMs) });
  }
}

/** Source of the texts: reference behaviour §2.2. */
const refused = (what: string, error: unknown): DriverError =>
  new DriverError(`${what}: ${engineFailure(error).message}`, false, { cause: error });
