import type { Socket } from "node:net";
import type Docker from "dockerode";
import { DriverError } from "../../driver.js";
import { engineFailure } from "../engine-failure.js";
import type { Time } from "../time.js";
import { EngineExec, type EngineExecSpec, type EngineExecState } from "./engine-exec.js";
import { FrameDemuxer } from "./frame-demuxer.js";

/** How long the engine may take to start a command. */
const startLimitMs = 60_000;
/** The first look comes when the fastest engine may be ready; later ones are further apart. */
const firstLookMs = 25;
const lastLookMs = 250;
/** What the engine says when a command can not be started: as much of it as is read, and for how long. */
const complaintBytes = 4096;
const complaintMs = 2_000;

const nothing = Buffer.alloc(0);

/** A command that runs. */
export interface StartedCommand {
  readonly exec: EngineExec;
  /** Paused; its first bytes are `head`. */
  readonly socket: Socket;
  readonly head: Buffer;
  /** As it was when it was first seen to run; a quick command may have ended by then. */
  readonly state: EngineExecState;
}

/** The engine said that it could not start the command. */
export class NotStarted extends DriverError {}

/** What a command says first of itself. */
export interface Mark {
  readonly found: Buffer;
  readonly notFound: Buffer;
  /** The command whose fate it tells. */
  readonly command: string;
}

/**
 * Starts a command and waits until it is known whether it runs: the engine says yes to any command, and what went wrong
 * comes as output, with exit code 126. Only a command that was started has a pid.
 *
 * @param mark null for a command that says nothing of itself.
 * @param abandoned is called with what may yet become a running command, when it was not known in time.
 * @throws NotStarted, or another DriverError when it is not known.
 */
export async function startCommand(
  docker: Docker,
  containerId: string,
  spec: EngineExecSpec,
  options: { readonly mark: Mark | null; readonly time: Time; abandoned(exec: EngineExec): void },
): Promise<StartedCommand> {
  const exec = await EngineExec.create(docker, containerId, spec);
  const socket = await exec.start();
  socket.on("error", () => socket.destroy());
  const start = new CommandStart(exec, socket, options.time);
  try {
    const said = options.mark && (await start.readMark(options.mark));
    const state = await start.untilStarted(spec.tty, said ? 0 : firstLookMs);
    if (said !== "not found") return { exec, socket, head: start.head, state };
    throw new NotStarted(notFound(options.mark?.command ?? ""), false);
  } catch (error) {
    socket.destroy();
    if (!(error instanceof NotStarted)) options.abandoned(exec);
    throw error;
  }
}

/** As the runtime says it. */
const notFound = (command: string): string =>
  `exec failed: unable to start container process: exec: "${command}": ${command.includes("/") ? "no such file or directory" : "executable file not found in $PATH"}`;

class CommandStart {
  readonly #exec: EngineExec;
  readonly #socket: Socket;
  readonly #time: Time;
  readonly #deadline: number;
  /** Bytes that were read and are not the mark. */
  head: Buffer = nothing;

  constructor(exec: EngineExec, socket: Socket, time: Time) {
    this.#exec = exec;
    this.#socket = socket;
    this.#time = time;
    this.#deadline = time.monotonicMs() + startLimitMs;
  }

  async readMark({ found, notFound }: Mark): Promise<"found" | "not found" | "nothing"> {
    for (;;) {
      this.#read();
      for (const [mark, meaning] of [
        [found, "found"],
        [notFound, "not found"],
      ] as const) {
        if (!this.head.subarray(0, mark.length).equals(mark)) continue;
        this.head = this.head.subarray(mark.length);
        return meaning;
      }
      const begun = found.subarray(0, this.head.length).equals(this.head) || notFound.subarray(0, this.head.length).equals(this.head);
      if (!begun || this.#isOver()) return "nothing";
      this.#checkTime();
      await this.#news(lastLookMs);
    }
  }

  /**
   * @param firstMs when to look first.
   * @returns its first state with a pid.
   */
  async untilStarted(tty: boolean, firstMs: number): Promise<EngineExecState> {
    for (let waitMs = firstMs; ; waitMs = Math.max(firstLookMs, Math.min(waitMs * 1.2, lastLookMs))) {
      await this.#news(waitMs);
      const state = await this.#state();
      if (state.pid > 0) return state;
      if (!state.running && state.exitCode !== null) throw new NotStarted(await this.#complaint(tty), false);
      this.#checkTime();
    }
  }

  async #state(): Promise<EngineExecState> {
    try {
      return await this.#exec.state();
    } catch (error) {
      throw new DriverError(`failed to inspect exec: ${engineFailure(error).message}`, false, { cause: error });
    }
  }

  #checkTime(): void {
    if (this.#time.monotonicMs() < this.#deadline) return;
    throw new DriverError(`exec failed: the engine has not started the command within ${startLimitMs / 1000} s`, false);
  }

  #isOver(): boolean {
    return this.#socket.readableEnded || this.#socket.destroyed;
  }

  #read(): void {
    for (let bytes = this.#socket.read() as Buffer | null; bytes !== null; bytes = this.#socket.read() as Buffer | null)
      this.head = Buffer.concat([this.head, bytes]);
  }

  /** Waits for bytes, the end of them, or the time. */
  async #news(ms: number): Promise<void> {
    if (this.#isOver() || this.#socket.readableLength > 0) return this.#time.sleep(ms);
    const came = new AbortController();
    const tell = (): void => came.abort();
    const events = ["readable", "end", "close"] as const;
    for (const event of events) this.#socket.on(event, tell);
    await this.#time.sleep(ms, came.signal);
    for (const event of events) this.#socket.off(event, tell);
  }

  async #complaint(tty: boolean): Promise<string> {
    const end = this.#time.monotonicMs() + complaintMs;
    for (;;) {
      this.#read();
      if (this.#isOver() || this.head.length >= complaintBytes || this.#time.monotonicMs() >= end) break;
      await this.#news(lastLookMs);
    }
    return complaintText(this.head.subarray(0, complaintBytes), tty);
  }
}

/** What went wrong in the runtime's words, without those of the layers above it that say nothing. */
export function complaintText(output: Buffer, tty: boolean): string {
  let text = tty ? output.toString() : "";
  if (!tty) new FrameDemuxer((_stream, bytes) => (text += bytes.toString())).push(output);
  const reason = text
    .trim()
    .replace(/^OCI runtime exec failed: /, "")
    .replace(/^exec failed: /, "")
    .replace(/: unknown$/, "");
  return `exec failed: ${reason === "" ? "the engine does not say why" : reason}`;
}
