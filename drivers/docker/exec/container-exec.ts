import type Docker from "dockerode";
import type { Logger } from "pino";
import type { ExecListener, ExecProcess, OutputStream, TerminalSize } from "../../driver.js";
import { engineFailure } from "../engine-failure.js";
import type { Time } from "../time.js";
import { FrameDemuxer } from "./frame-demuxer.js";
import { OutputPace } from "./output-pace.js";
import type { SessionProcesses } from "./session-processes.js";
import type { StartedCommand } from "./start-command.js";
import { isCanonical } from "./terminal-mode.js";

/** How long the engine may say that a command runs whose output has ended. */
const exitLimitMs = 10_000;
/** How long it may not answer. The connection of a command is lost with it. */
const unreachableLimitMs = 2_000;
const mostExitWaitMs = 250;
/** How long after a command died by SIGKILL its container may be seen to have ended too. */
const containerEndMs = 400;
const containerLookMs = 50;
/** Source: reference behaviour §2.4. */
const unknownExit = -1;
const killedExit = 137;
/** A terminal in raw mode has no end of input: how long its command may go on after its user closed stdin. */
const rawHangupMs = 5_000;
/** Control-D. */
const endOfTransmission = Buffer.from([4]);

export interface ContainerExecDeps {
  readonly docker: Docker;
  readonly containerId: string;
  readonly processes: SessionProcesses;
  readonly listener: ExecListener;
  readonly time: Time;
  readonly log: Logger;
}

interface Exit {
  readonly exitCode: number;
  readonly reason: string;
}

/** A command that runs in a container, for one client. */
export class ContainerExec implements ExecProcess {
  readonly #command: StartedCommand;
  readonly #deps: ContainerExecDeps;
  readonly #tty: boolean;
  readonly #pace: OutputPace;
  readonly #take: (chunk: Buffer) => void;
  #nextSize: TerminalSize | undefined;
  #resizing = false;
  #reason = "";
  #ending: Promise<void> | undefined;
  readonly #over = new AbortController();
  readonly #finished: Promise<void>;

  constructor(command: StartedCommand, tty: boolean, deps: ContainerExecDeps) {
    this.#command = command;
    this.#deps = deps;
    this.#tty = tty;
    this.#pace = new OutputPace(command.socket, () => this.#hasEnded(), deps.time);
    const demuxer = new FrameDemuxer((stream, bytes) => this.#output(stream, bytes));
    this.#take = tty ? (chunk) => this.#output(1, chunk) : (chunk) => demuxer.push(chunk);
    const { socket, head } = command;
    const closed = new Promise<void>((resolve) => {
      if (socket.destroyed) resolve();
      else socket.once("close", resolve);
    });
    // What the command did not take of its stdin would hold the connection open.
    socket.once("end", () => socket.destroy());
    if (head.length > 0) this.#chunk(head);
    socket.on("data", (chunk: Buffer) => this.#chunk(chunk));
    socket.resume();
    this.#finished = this.#finish(closed);
  }

  async stdin(bytes: Buffer, close: boolean): Promise<void> {
    const { socket } = this.#command;
    if (socket.destroyed || socket.writableEnded) return;
    // A connection that ends meanwhile calls back too.
    if (bytes.length > 0) await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
    if (!close) return;
    if (this.#tty) void this.#endOfTerminalInput();
    else socket.end();
  }

  resize(size: TerminalSize): void {
    if (!this.#tty) return;
    this.#nextSize = size;
    if (!this.#resizing) void this.#resize();
  }

  ack(bytes: number): void {
    this.#pace.ack(bytes);
  }

  async end(reason: string): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#ending ??= this.#end(reason);
    await this.#ending;
  }

  async #end(reason: string): Promise<void> {
    this.#reason = reason;
    this.#command.socket.end();
    await this.#deps.processes.end();
    this.#command.socket.destroy();
    await this.#finished;
  }

  #chunk(chunk: Buffer): void {
    try {
      this.#take(chunk);
    } catch (error) {
      this.#command.socket.pause();
      void this.end((error as Error).message);
    }
  }

  #output(stream: OutputStream, bytes: Buffer): void {
    this.#deps.listener.output(stream, bytes);
    this.#pace.passed(bytes.length);
  }

  async #finish(closed: Promise<void>): Promise<void> {
    await closed;
    this.#pace.stop();
    const { listener } = this.#deps;
    for (const stream of this.#tty ? ([1] as const) : ([1, 2] as const)) listener.closed(stream);
    const { exitCode, reason } = await this.#exit();
    this.#over.abort();
    listener.exited({ exitCode, reason: this.#reason || reason });
  }

  /** The engine knows how a command ended a moment after its output has. */
  async #exit(): Promise<Exit> {
    const { time } = this.#deps;
    const { exec, state: first } = this.#command;
    let trouble = "";
    const begun = time.monotonicMs();
    let limitMs = exitLimitMs;
    for (let waitMs = 1; time.monotonicMs() < begun + limitMs; waitMs = Math.min(waitMs * 2, mostExitWaitMs)) {
      try {
        const { running, exitCode } = first.running ? await exec.state() : first;
        if (!running && exitCode !== null) return { exitCode, reason: await this.#whyEnded(exitCode) };
        trouble = "the engine has closed the connection of a command that runs";
      } catch (error) {
        const failure = engineFailure(error);
        if (failure.status === 404) return { exitCode: unknownExit, reason: "the container is gone" };
        if (failure.unreachable) limitMs = unreachableLimitMs;
        trouble = failure.message;
      }
      await time.sleep(waitMs);
    }
    await this.#deps.processes.end();
    return { exitCode: unknownExit, reason: trouble };
  }

  /** A command that was killed may have been so with its whole container, of which the engine tells a moment later. */
  async #whyEnded(exitCode: number): Promise<string> {
    if (exitCode !== killedExit || this.#reason !== "") return "";
    const { docker, containerId, time } = this.#deps;
    for (const limit = time.monotonicMs() + containerEndMs; ; ) {
      try {
        const { State } = await docker.getContainer(containerId).inspect();
        if (!State.Running) return "the container has ended";
      } catch (error) {
        return engineFailure(error).status === 404 ? "the container is gone" : "";
      }
      if (time.monotonicMs() >= limit) return "";
      await time.sleep(containerLookMs);
    }
  }

  async #hasEnded(): Promise<boolean> {
    try {
      return !(await this.#command.exec.state()).running;
    } catch {
      return false;
    }
  }

  /** One call at a time, since they may overtake each other; of several sizes that wait only the last matters. */
  async #resize(): Promise<void> {
    this.#resizing = true;
    while (this.#nextSize && !this.#over.signal.aborted) {
      const size = this.#nextSize;
      this.#nextSize = undefined;
      // That the command has ended is no error of the client's.
      await this.#command.exec.resize(size).catch((error: unknown) => {
        this.#deps.log.debug({ err: error }, "a terminal was not resized");
      });
    }
    this.#resizing = false;
  }

  async #endOfTerminalInput(): Promise<void> {
    if (await isCanonical(this.#deps.processes.stdinPath)) {
      if (!this.#command.socket.destroyed) this.#command.socket.write(endOfTransmission);
      return;
    }
    await this.#deps.time.sleep(rawHangupMs, this.#over.signal);
    await this.end("the client closed stdin");
  }
}
