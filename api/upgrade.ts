import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { AllocdError } from "../agent/errors.js";
import type { Logger } from "../agent/log.js";
import type { UpgradeHandler } from "./deps.js";
import { expectedFailure, type Failure } from "./failure.js";
import type { Guard } from "./guard.js";

const EXEC = /^\/v1\/client\/allocation\/[^/]+\/exec$/;

/** Hands WebSocket upgrades on, after the guard. What nobody takes gets a plain HTTP answer, never a silent close. */
export async function handleUpgrade(
  deps: { readonly guard: Guard; readonly exec: UpgradeHandler | undefined; readonly log: Logger; readonly admitted: Promise<void> },
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  // A reset of a socket that nobody listens to would end the agent.
  socket.on("error", () => socket.destroy());
  try {
    await deps.admitted;
    deps.guard.check(request);
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (deps.exec === undefined || !EXEC.test(path)) throw new AllocdError("not-found", "resource not found");
    deps.exec.upgrade(request, socket, head);
  } catch (error) {
    const expected = expectedFailure(error);
    if (expected === undefined) deps.log.error({ err: error, path: request.url?.split("?", 1)[0] }, "upgrade failed");
    refuse(socket, expected ?? { status: 500, text: "upgrade failed" });
  }
}

function refuse(socket: Duplex, { status, text }: Failure): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Vary: Accept-Encoding",
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`, () => socket.destroy());
}
