import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { corkForTurn } from "../cork.js";
import { encodeFrame, FrameDecoder } from "./frames.js";
import type { Notice, ReplyHeader, RequestHeader } from "./protocol.js";
import { ShimError, type ShimProgram } from "./protocol.js";
import type { Peer, Shim } from "./shim.js";

/** Above this the output of a client's sessions waits: together they may give more than it takes. */
const fullBytes = 4 * 1024 * 1024;
/** What is left are answers, and one chunk of each output that was read before it was told to wait: only a broken client comes here. */
const maxUnsentBytes = 256 * 1024 * 1024;

/** How long clients may take to read the last words before a successor has them to itself. */
const leaveDeadlineMs = 2_000;

/** The shim's socket: frames in, replies and notices out. */
export class ShimServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param onMoved called when a successor has taken over and everybody was told. */
  constructor(
    private readonly shim: Shim,
    private readonly path: string,
    private readonly lockFd: number,
    private readonly onMoved: () => void,
  ) {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** @throws when another listens there. */
  async listen(): Promise<void> {
    rmSync(this.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.path, resolve);
    });
    chmodSync(this.path, 0o600);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket: Socket): void {
    const decoder = new FrameDecoder<RequestHeader>();
    const peer: Peer = {
      send: (notice, payload) => send(socket, notice, payload),
      isFull: () => socket.writableLength > fullBytes,
    };
    this.#sockets.add(socket);
    this.shim.join(peer);
    socket.on("error", () => socket.destroy());
    socket.on("drain", () => this.shim.drained(peer));
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.shim.leave(peer);
    });
    socket.on("data", (chunk) => {
      try {
        for (const { header, payload } of decoder.push(chunk)) void this.#answer(header, payload, socket, peer);
      } catch {
        socket.destroy();
      }
    });
  }

  async #answer(header: RequestHeader, payload: Buffer, socket: Socket, peer: Peer): Promise<void> {
    const { id } = header;
    try {
      const result = header.op === "upgrade" ? await this.#handOver(header.program) : await this.shim.handle(header, payload, peer);
      send(socket, { id, ok: true, result });
      if (header.op === "upgrade") await this.#leave();
    } catch (error) {
      const code = error instanceof ShimError ? error.code : "EINTERNAL";
      send(socket, { id, ok: false, code, message: (error as Error).message });
    }
  }

  /** The successor listens at the same path. */
  async #handOver(program: ShimProgram): Promise<{ readonly pid: number }> {
    this.#server.close();
    try {
      return { pid: await this.shim.handOver(program, this.lockFd) };
    } catch (error) {
      await this.listen();
      throw error;
    }
  }

  /** What clients have not read yet they read first. */
  async #leave(): Promise<void> {
    const sockets = [...this.#sockets];
    for (const socket of sockets) {
      send(socket, { notice: "moved" });
      socket.end();
    }
    const flushed = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    await Promise.race([Promise.all(flushed), pause(leaveDeadlineMs)]);
    this.onMoved();
  }
}

function send(socket: Socket, header: ReplyHeader | Notice, payload?: Buffer): void {
  if (socket.destroyed) return;
  corkForTurn(socket);
  socket.write(encodeFrame(header, payload));
  if (socket.writableLength > maxUnsentBytes) socket.destroy();
}
