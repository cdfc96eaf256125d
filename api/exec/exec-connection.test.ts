import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import type { WebSocket } from "ws";
import { ExecConnection } from "./exec-connection.js";

/** A socket that takes what is sent only when the test says so. */
class SlowSocket extends EventEmitter {
  readonly isPaused = false;
  readonly sent: string[] = [];
  readonly closes: unknown[] = [];
  bufferedAmount = 0;
  #taken: (() => void)[] = [];

  send(frame: string | Buffer, ...rest: unknown[]): void {
    this.sent.push(String(frame));
    this.#taken.push(rest.at(-1) as () => void);
  }
  close(code: number, reason: string): void {
    this.closes.push([code, reason]);
  }
  takeAll(): void {
    for (const taken of this.#taken.splice(0)) taken();
  }
}

test("a client that takes the last output slowly is not cut off: its time to answer begins when all was taken", async () => {
  const socket = new SlowSocket();
  const connection = new ExecConnection(socket as unknown as WebSocket, new PassThrough(), false, {
    pingMs: 1_000_000,
    maxMessageBytes: 1_000,
  });
  connection.output(1, Buffer.from("the last of it"));
  socket.bufferedAmount = 1024 * 1024;
  connection.exited({ exitCode: 3, reason: "" });
  expect([socket.closes, socket.sent.at(-1)]).toEqual([[], '{"exited":true,"result":{"exit_code":3}}']);
  socket.takeAll();
  expect(socket.closes).toEqual([[1000, ""]]);
});
