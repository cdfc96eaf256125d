import type { OutputStream } from "../../driver.js";

/** One piece of output as the engine keeps it: a line, or a part of a long one. */
export interface LogMessage {
  readonly stream: OutputStream;
  /** RFC 3339 in UTC with nine digits: as text in the order of time. */
  readonly at: string;
  readonly bytes: Buffer;
}

const headerBytes = 8;
/** `2006-01-02T15:04:05.000000000Z` and a space. */
const stampBytes = 31;
const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z $/;
/** The engine cuts longer lines. Source: moby's line buffer. */
const maxLineBytes = 16 * 1024;
/** A frame is one message: far more than the engine ever makes is no frame. */
const maxFrameBytes = 16 * 1024 * 1024;

/** Takes apart what the engine sends of a log with `timestamps`. @throws Error when it is none. */
export async function* logMessages(source: AsyncIterable<Buffer>, tty: boolean): AsyncGenerator<LogMessage> {
  let rest: Buffer = Buffer.alloc(0);
  const next = tty ? nextLine : nextFrame;
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let message = next(rest, false); message; message = next(rest, false)) {
      rest = rest.subarray(message.length);
      yield message.message;
    }
  }
  const last = next(rest, true);
  if (last) yield last.message;
}

interface Found {
  readonly message: LogMessage;
  /** Of all that it took. */
  readonly length: number;
}

function nextFrame(bytes: Buffer): Found | null {
  if (bytes.length < headerBytes) return null;
  const stream = bytes[0];
  const length = bytes.readUInt32BE(4);
  if ((stream !== 1 && stream !== 2) || length > maxFrameBytes)
    throw new Error(`the engine sent a frame of stream ${stream} with ${length} bytes`);
  if (bytes.length < headerBytes + length) return null;
  return { message: stamped(stream, bytes.subarray(headerBytes, headerBytes + length)), length: headerBytes + length };
}

/** A terminal's output has no frames: a message ends with its line, or where the engine has cut it. */
function nextLine(bytes: Buffer, isEnd: boolean): Found | null {
  const end = bytes.indexOf(10) + 1;
  const cut = stampBytes + maxLineBytes;
  const isCut = bytes.length >= cut + stampBytes && stamp.test(bytes.toString("latin1", cut, cut + stampBytes));
  const length = isCut && (end === 0 || end > cut) ? cut : end > 0 ? end : isEnd ? bytes.length : 0;
  return length === 0 ? null : { message: stamped(1, bytes.subarray(0, length)), length };
}

function stamped(stream: OutputStream, bytes: Buffer): LogMessage {
  const prefix = bytes.toString("latin1", 0, stampBytes);
  if (!stamp.test(prefix)) throw new Error(`the engine sent a log without timestamps: ${JSON.stringify(prefix)}`);
  return { stream, at: prefix.slice(0, -1), bytes: bytes.subarray(stampBytes) };
}

/** As the engine wants the beginning of a log to be named: seconds and nanoseconds. */
export const sinceOf = (at: string): string => (at === "" ? "0" : `${Date.parse(`${at.slice(0, 19)}Z`) / 1000}.${at.slice(20, 29)}`);

/** The engine's way to write a moment. @param ns Unix nanoseconds. */
export const stampOf = (ns: bigint): string =>
  `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
