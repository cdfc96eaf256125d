import type { ServerResponse } from "node:http";
import type { PieceSource } from "../../agent/allocs/fs/piece.js";
import type { Logger } from "../../agent/log.js";
import type { Framing } from "./frames.js";

/** A client that vanished without a word is found out after so many milliseconds of silence. */
const keepAliveMs = 30_000;

/**
 * Sends a source to its end and closes it, whatever happens. Reads on only when the client has taken what was read, so
 * one response holds about one piece. Never rejects: once the head is sent an error can only break the response off.
 */
export async function sendPieces(response: ServerResponse, source: PieceSource, framing: Framing, log: Logger): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  response.once("close", leave);
  // It may have gone while the source was opened.
  if (response.closed) leave();
  try {
    response.socket?.setKeepAlive(true, keepAliveMs);
    // A follower's client gets its answer before there is anything to tell.
    response.flushHeaders();
    for (let piece = await source.next(gone.signal); piece !== null && !gone.signal.aborted; piece = await source.next(gone.signal)) {
      const bytes = framing(piece);
      if (bytes.length > 0 && !response.write(bytes)) await drained(response, gone.signal);
    }
    response.end();
  } catch (error) {
    log.warn({ err: error }, "a file can not be read to its end");
    response.destroy();
  } finally {
    response.off("close", leave);
    await source.close().catch((error: unknown) => log.warn({ err: error }, "a file can not be closed"));
  }
}

function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (gone.aborted) return resolve();
    const done = (): void => {
      response.off("drain", done);
      gone.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    gone.addEventListener("abort", done, { once: true });
  });
}
