import { Socket, type SocketConstructorOpts } from "node:net";
import { ReadStream } from "node:tty";

/** Shared by all pumps: a chunk is taken from it before the next read. What a pipe holds at most, and the fastest size measured. */
const chunk = Buffer.allocUnsafe(64 * 1024);

/** @returns false to be paused until `resume`. The bytes are valid only during the call. */
export type Sink = (bytes: Buffer) => boolean;

/** Moves what a FIFO or a pty's master gives to a sink, until its end. Owns the descriptor. */
export class OutputPump {
  readonly #socket: Socket;
  /** Resolves at the end of the output, or when closed; the descriptor is closed by then. */
  readonly ended: Promise<void>;

  constructor(fd: number, kind: "fifo" | "pty", sink: Sink) {
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
    // A pty's master reports the last close of the terminal as EIO.
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.on("end", () => this.#socket.destroy());
    this.ended = new Promise((resolve) => this.#socket.once("close", () => resolve()));
  }

  /** For a pty: the way in. */
  get socket(): Socket {
    return this.#socket;
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Gives up what may still come. */
  close(): void {
    this.#socket.destroy();
  }
}
