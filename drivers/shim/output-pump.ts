import { readSync } from "node:fs";
import { Socket, type SocketConstructorOpts } from "node:net";
import { ReadStream } from "node:tty";
import { descriptorOf, resumeReading, stopReading } from "./stream-handle.js";

/** Shared by all pumps: a chunk is taken from it before the next read. What a pipe holds at most, and the fastest size measured. */
const chunk = Buffer.allocUnsafe(64 * 1024);

/** @returns false to be paused until `resume`. The bytes are valid only during the call. */
export type Sink = (bytes: Buffer) => boolean;

/** Moves what a FIFO or a pty's master gives to a sink, until its end. Owns the descriptor. */
export class OutputPump {
  readonly #socket: Socket;
  readonly #kind: "fifo" | "pty";
  readonly #sink: Sink;
  /** Resolves at the end of the output, or when closed; the descriptor is closed by then. */
  readonly ended: Promise<void>;

  constructor(fd: number, kind: "fifo" | "pty", sink: Sink) {
    this.#kind = kind;
    this.#sink = sink;
    const onread = { buffer: chunk, callback: (length: number, bytes: Uint8Array) => sink((bytes as Buffer).subarray(0, length)) };
    // fs.read would block a thread of libuv's four for each silent FIFO.
    // @types/node knows `onread` only for connections.
    const options = { fd, readable: true, writable: false, onread } as SocketConstructorOpts;
    this.#socket = kind === "fifo" ? new Socket(options) : new ReadStream(fd);
    if (kind === "pty") {
      this.#socket.on("data", (bytes: Buffer) => {
        if (!sink(bytes)) this.#socket.pause();
      });
    }
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.on("end", () => {
      if (kind === "pty") drainTerminal(fd, sink);
      this.#socket.destroy();
    });
    this.ended = new Promise((resolve) => this.#socket.once("close", () => resolve()));
  }

  /** Whether the descriptor is still this pump's. */
  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** Stops at once; what has not been read stays where it is. @returns the descriptor, undefined when the output is at its end. */
  stop(): number | undefined {
    stopReading(this.#socket);
    return descriptorOf(this.#socket);
  }

  resume(): void {
    resumeReading(this.#socket);
  }

  /**
   * Takes what a FIFO holds, at once: on a host so busy that the event loop stood still, a deadline passes before anything
   * was read.
   */
  takeRest(): void {
    const fd = this.stop();
    if (fd === undefined || this.#kind !== "fifo") return;
    try {
      for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk)) this.#sink(chunk.subarray(0, length));
    } catch {
      // EAGAIN: it is empty, and somebody still has it open.
    }
  }

  /** Gives up what may still come. */
  close(): void {
    this.#socket.destroy();
  }
}

/**
 * libuv takes a hangup after a short read for the end, but a read of a pty is short whenever it is above 4 KiB: what the
 * kernel still holds would be lost (libuv's uv__stream_io; node-pty#72). It is read here until the kernel says EIO.
 */
function drainTerminal(master: number, sink: Sink): void {
  try {
    for (let length = readSync(master, chunk); length > 0; length = readSync(master, chunk)) sink(chunk.subarray(0, length));
  } catch {
    // EIO: the terminal is closed and empty.
  }
}
