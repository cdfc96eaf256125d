import type { OutputStream } from "../../driver.js";
import type { LogMessage } from "./log-message.js";
import type { OutputLog } from "./output-log.js";

/** What a replay needs of the log files. */
export type Replayed = Pick<OutputLog, "written" | "anchor" | "setAnchor" | "wroteAt" | "append">;

export interface ReplayOptions {
  /** What had been written of each stream when all of it was in the engine's log for sure. */
  readonly written: Readonly<Record<OutputStream, number>>;
  /** Whether what is new is written; else only the anchors are moved on. */
  readonly write: boolean;
  /** A moment before the log was read by which all earlier messages were in it. */
  readonly settledAt: string;
  /** What was found to be new. */
  readonly onNew?: (stream: OutputStream, bytes: Buffer) => void;
}

/** Where the engine's log has to be read from. "" is its beginning. */
export function replayFrom(output: Replayed): string {
  const anchors = [output.anchor(1), output.anchor(2)].map((anchor) => anchor?.at ?? output.wroteAt);
  return anchors.sort()[0] ?? "";
}

/**
 * Goes through the engine's log from where its place in ours is known, counting bytes: what is beyond those that were
 * written is new. Messages of one stream are in the order of their timestamps; several may have the same.
 *
 * @returns whether the engine had dropped messages that were needed to tell. Where that shows only at the end, the stream
 * has no anchor then: of a stream without one the time of the last write decides what is new, and some may be missing or twice.
 */
export async function replay(
  messages: AsyncIterable<LogMessage>,
  output: Replayed,
  options: ReplayOptions,
): Promise<{ readonly gap: boolean }> {
  const cursors = { 1: new Cursor(1, output, options), 2: new Cursor(2, output, options) };
  for await (const message of messages) {
    const fresh = cursors[message.stream].take(message);
    if (fresh.length === 0 || !options.write) continue;
    output.append(message.stream, fresh);
    options.onNew?.(message.stream, fresh);
  }
  for (const cursor of Object.values(cursors)) cursor.end(options.settledAt);
  return { gap: cursors[1].gap || cursors[2].gap };
}

class Cursor {
  /** Whether messages are missing at the beginning. */
  gap = false;
  readonly #stream: OutputStream;
  readonly #output: Replayed;
  readonly #isWriting: boolean;
  /** What was written, and has to be in the log. */
  readonly #written: number;
  #from: string;
  /** Bytes of the stream up to here. */
  #at: number;
  #isFirst = true;
  #latest = "";
  #anchor: { at: string; written: number } | null = null;

  constructor(stream: OutputStream, output: Replayed, { write, written }: ReplayOptions) {
    this.#stream = stream;
    this.#output = output;
    this.#isWriting = write;
    this.#written = written[stream];
    const anchor = output.anchor(stream);
    this.gap = anchor === null;
    this.#from = anchor?.at ?? output.wroteAt;
    this.#at = anchor?.written ?? this.#written;
  }

  /** @returns what of the message was not written yet. */
  take({ at, bytes }: LogMessage): Buffer {
    if (at < this.#from) return bytes.subarray(bytes.length);
    if (this.#isFirst) this.#begin(at);
    if (at < this.#from) return bytes.subarray(bytes.length);
    // An anchor never lies beyond what was written: the output in between would count as written.
    if (this.#anchor?.at !== at && (this.#isWriting || this.#at <= this.#written)) this.#anchor = { at, written: this.#at };
    this.#latest = at;
    const start = this.#at;
    this.#at += bytes.length;
    return bytes.subarray(Math.min(bytes.length, Math.max(0, this.#written - start)));
  }

  end(settledAt: string): void {
    const output = this.#output;
    const isSettled = this.#at <= output.written(this.#stream) && settledAt > (this.#latest || (output.anchor(this.#stream)?.at ?? ""));
    // The log has less than was written: the engine has dropped its beginning, and all counting from there was wrong.
    const isShort = this.#at < this.#written;
    this.gap ||= isShort;
    if (isShort || (this.gap && !this.#isWriting)) output.setAnchor(this.#stream, null);
    else if (isSettled) output.setAnchor(this.#stream, { at: settledAt, written: this.#at, isMessage: false });
    else if (this.#anchor) output.setAnchor(this.#stream, { ...this.#anchor, isMessage: true });
  }

  /** The first message is the one that the anchor was taken from, or the engine has dropped it. */
  #begin(at: string): void {
    this.#isFirst = false;
    const anchor = this.#output.anchor(this.#stream);
    if (!anchor?.isMessage || anchor.at === at) return;
    this.gap = true;
    this.#from = this.#output.wroteAt;
    this.#at = this.#written;
  }
}
