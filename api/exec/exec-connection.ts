import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { corkForTurn } from "../../drivers/cork.js";
import type { ExecListener, ExecProcess, OutputStream, TerminalSize } from "../../drivers/driver.js";
import {
  BadFrame,
  type ClientFrame,
  closeFrames,
  closeReason,
  exitFrame,
  heartbeatFrame,
  outputFrame,
  parseClientFrame,
} from "./exec-frames.js";

/** Above this the client is not read until the command has taken its input. */
const maxPendingInputBytes = 256 * 1024;
/** What is on its way at once, whatever the client does. */
const fewBytes = 4 * 1024;
/** A socket that is not read does not see its client go, only a write does: how often one is tried meanwhile. */
const heldProbeMs = 1_000;

export interface ExecConnectionOptions {
  /** Milliseconds between pings and heartbeats. */
  readonly pingMs: number;
  /** Bytes of a message; a larger one ends the session. */
  readonly maxMessageBytes: number;
}

/**
 * One exec session between its WebSocket and its command.
 *
 * Nothing is kept in memory but what is on its way: output is acknowledged to the command when the socket has taken it,
 * and the socket is not read while the command does not take its input.
 */
export class ExecConnection implements ExecListener {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #options: ExecConnectionOptions;
  readonly #size: (size: TerminalSize | undefined) => void;
  #process: ExecProcess | undefined;
  #early: ClientFrame[] = [];
  #earlyBytes = 0;
  #earlyAcks = 0;
  #pendingInput = 0;
  #unanswered = 0;
  #over = false;
  readonly #closedStreams = new Set<OutputStream>();
  readonly #timer: NodeJS.Timeout;
  #probe: NodeJS.Timeout | undefined;
  readonly #tty: boolean;
  /** Resolves with the first size that the client tells, or undefined when it says something else first. */
  readonly firstSize: Promise<TerminalSize | undefined>;

  /** @param socket the one that `ws` writes to. */
  constructor(ws: WebSocket, socket: Duplex, tty: boolean, options: ExecConnectionOptions) {
    this.#ws = ws;
    this.#socket = socket;
    this.#tty = tty;
    this.#options = options;
    let size: (size: TerminalSize | undefined) => void = () => {};
    this.firstSize = new Promise((resolve) => {
      size = resolve;
    });
    this.#size = size;
    ws.on("message", (data, _binary) => this.#message(data));
    ws.on("pong", () => {
      this.#unanswered = 0;
    });
    ws.on("close", () => this.#gone("the client is gone"));
    // What is wrong with the stream itself was answered by ws with the right close code.
    ws.on("error", () => this.#gone("the client broke the protocol"));
    this.#timer = setInterval(() => this.#beat(), options.pingMs);
  }

  /** The command runs: what came before goes to it. */
  attach(process: ExecProcess): void {
    this.#process = process;
    if (this.#earlyAcks > 0) process.ack(this.#earlyAcks);
    if (this.#over) void process.end("the client is gone");
    for (const frame of this.#early.splice(0)) this.#act(frame);
    this.#holdClient();
  }

  output(stream: OutputStream, bytes: Buffer): void {
    const { length } = bytes;
    corkForTurn(this.#socket);
    this.#ws.send(outputFrame(stream, bytes), { binary: false }, () => this.#ack(length));
  }

  #ack(bytes: number): void {
    if (this.#process) this.#process.ack(bytes);
    else this.#earlyAcks += bytes;
  }

  closed(stream: OutputStream): void {
    if (this.#closedStreams.has(stream)) return;
    this.#closedStreams.add(stream);
    corkForTurn(this.#socket);
    this.#ws.send(closeFrames[stream], ignore);
  }

  exited(exit: { readonly exitCode: number; readonly reason: string }): void {
    for (const stream of this.#tty ? ([1] as const) : ([1, 2] as const)) this.closed(stream);
    const close = (): void => this.close(exit.reason === "" ? 1000 : 1001, exit.reason);
    // A client that reads slowly gets all of it first: its time to answer our close begins when the exit frame is on its way.
    const isSlow = this.#ws.bufferedAmount > fewBytes;
    this.#ws.send(exitFrame(exit.exitCode), isSlow ? close : ignore);
    if (!isSlow) close();
  }

  /** Says why and ends. */
  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#size(undefined);
    // A paused socket would never see the client's answer.
    this.#letGo();
    this.#ws.close(code, closeReason(reason));
  }

  /** Ends the command at once, and says why: its client may have it no longer. */
  cutOff(code: number, reason: string): void {
    void this.#process?.end(reason);
    this.close(code, reason);
  }

  #message(data: RawData): void {
    if (this.#over) return;
    this.#unanswered = 0;
    try {
      const bytes = data as Buffer;
      if (bytes.length > this.#options.maxMessageBytes)
        throw new BadFrame(1008, `the frame has ${bytes.length} bytes, at most ${this.#options.maxMessageBytes} are taken`);
      const frame = parseClientFrame(bytes.toString("utf8"));
      this.#size(frame.size);
      if (this.#process) this.#act(frame);
      else if (frame.stdin || frame.size) this.#keepEarly(frame, bytes.length);
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error;
      void this.#process?.end(error.message);
      this.close(error.code, error.message);
    }
  }

  #keepEarly(frame: ClientFrame, bytes: number): void {
    this.#early.push(frame);
    this.#earlyBytes += bytes;
    if (this.#earlyBytes > maxPendingInputBytes) this.#hold();
  }

  #act(frame: ClientFrame): void {
    const process = this.#process;
    if (!process) return;
    if (frame.size && this.#tty) process.resize(frame.size);
    if (!frame.stdin) return;
    const { data, close } = frame.stdin;
    if (data.length === 0 && !close) return;
    this.#pendingInput += data.length;
    this.#holdClient();
    void process.stdin(data, close).then(() => {
      this.#pendingInput -= data.length;
      this.#holdClient();
    });
  }

  #holdClient(): void {
    if (this.#over) return;
    if (this.#pendingInput > maxPendingInputBytes) this.#hold();
    else this.#letGo();
  }

  #hold(): void {
    if (this.#probe) return;
    this.#ws.pause();
    this.#probe = setInterval(() => this.#ws.ping(), heldProbeMs);
  }

  #letGo(): void {
    clearInterval(this.#probe);
    this.#probe = undefined;
    if (this.#ws.isPaused) this.#ws.resume();
  }

  #beat(): void {
    if (this.#unanswered >= 2) {
      this.#ws.terminate();
      return;
    }
    // A client that is held back can not be seen to answer.
    if (!this.#ws.isPaused) this.#unanswered += 1;
    this.#ws.ping();
    this.#ws.send(heartbeatFrame, ignore);
  }

  #gone(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#letGo();
    this.#size(undefined);
    void this.#process?.end(reason);
  }
}

const ignore = (): void => {};
