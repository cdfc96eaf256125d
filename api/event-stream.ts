import type { ServerResponse } from "node:http";
import { encodeEvent, type StreamEvent } from "../agent/events/event.js";
import type { Subscription } from "../agent/events/event-broker.js";
import { encodeJson } from "../agent/model/json.js";

/** How long a stream is silent before a heartbeat. Source: Nomad's event stream. */
const HEARTBEAT_MS = 10_000;
/** A client that vanished without a word is found out after so many milliseconds of silence. */
const KEEP_ALIVE_MS = 30_000;
/** A change of thousands of objects is told in several lines, so that none is huge. */
const EVENTS_PER_LINE = 64;

/**
 * Writes a line of JSON for every change, and `{}` in silence. Reads on only when the client has taken what was written: one
 * that is too slow misses events, is told so in a last line and has to subscribe again.
 *
 * @param gone aborted when the client went.
 */
export async function sendEvents(response: ServerResponse, subscription: Subscription, gone: AbortSignal): Promise<void> {
  try {
    response.socket?.setKeepAlive(true, KEEP_ALIVE_MS);
    response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" });
    // At once, so that the client knows it is connected before there is anything to tell.
    await write(response, "{}\n", gone);
    for (;;) {
      const heard = await subscription.next(HEARTBEAT_MS);
      if (heard.kind === "end") break;
      if (heard.kind === "lost") {
        const text = `too slow: events before index ${heard.index} are gone; subscribe again`;
        await write(response, `${encodeJson({ Error: text, Index: heard.index })}\n`, gone);
        break;
      }
      if (heard.kind === "silence") await write(response, "{}\n", gone);
      else for (const line of linesOf(heard.events, heard.index)) await write(response, line, gone);
    }
    response.end();
  } finally {
    subscription.close();
  }
}

function* linesOf(events: readonly StreamEvent[], index: number): Generator<string> {
  for (let from = 0; from < events.length; from += EVENTS_PER_LINE) {
    const texts = events.slice(from, from + EVENTS_PER_LINE).map((event) => encodeEvent(event, index));
    yield `{"Events":[${texts.join(",")}],"Index":${index}}\n`;
  }
}

async function write(response: ServerResponse, text: string, gone: AbortSignal): Promise<void> {
  if (gone.aborted || response.write(text)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      gone.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    gone.addEventListener("abort", done, { once: true });
  });
}
