import { EventEmitter } from "node:events";
import type { WebSocket } from "ws";
import type { Clock } from "../../agent/clock.js";
import { ExecConnection } from "./exec-connection.js";

/** A socket that takes what is sent only when the test says so. */
class SlowSocket extends EventEmitter {
  readonly isPaused = false;
  readonly sent: string[] = [];
  readonly closes: unknown[] = [];
  terminated = false;
  #taken: (() => void)[] = [];

  send(frame: string, taken: () => void): void {
    this.sent.push(frame);
    this.#taken.push(taken);
  }
  close(code: number, reason: string): void {
    this.closes.push([code, reason]);
  }
  terminate(): void {
    this.terminated = true;
  }
  takeAll(): void {
    for (const taken of this.#taken.splice(0)) taken();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a client that takes the last output slowly is not cut off: its time to answer begins when all was taken", async () => {
  const socket = new SlowSocket();
  let deadlines = 0;
  let pass: () => void = () => {};
  const clock: Clock = {
    now: () => 0n,
    monotonicMs: () => 0,
    sleep: () => {
      deadlines++;
      return new Promise((resolve) => {
        pass = resolve;
      });
    },
  };
  const connection = new ExecConnection(socket as unknown as WebSocket, false, clock, { pingMs: 1_000_000, maxMessageBytes: 1_000 });
  connection.output(1, Buffer.from("the last of it"));
  connection.exited({ exitCode: 3, reason: "" });
  await settled();
  expect([socket.closes, deadlines, socket.sent.at(-1)]).toEqual([[], 0, '{"exited":true,"result":{"exit_code":3}}']);
  socket.takeAll();
  expect([socket.closes, deadlines]).toEqual([[[1000, ""]], 1]);
  pass();
  await settled();
  expect(socket.terminated).toBe(true);
});
