import type { WebSocket } from "ws";
import type { Clock } from "../../agent/clock.js";
import { closeReason } from "./exec-frames.js";

/** A client that has not answered our close by then is cut off. */
const closeDeadlineMs = 5_000;

/** Says why and ends, whether the client answers or not. */
export function closeSocket(ws: WebSocket, clock: Clock, code: number, reason: string): void {
  const answered = new AbortController();
  ws.once("close", () => answered.abort());
  ws.close(code, closeReason(reason));
  void clock.sleep(closeDeadlineMs, answered.signal).then(() => ws.terminate());
}
