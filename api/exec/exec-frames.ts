/*
 * The frames of an exec session. Source: the documentation's "Exec Allocation", reference behaviour §2.3.
 */

/** What a client's message says. Unknown members are ignored: a message without any known one is a heartbeat. */
export interface ClientFrame {
  readonly stdin?: { readonly data: Buffer; readonly close: boolean };
  readonly size?: { readonly rows: number; readonly cols: number };
}

export class BadFrame extends Error {
  override readonly name = "BadFrame";
  constructor(
    /** The close code of RFC 6455: 1007 for what is no text of the format, 1008 for what the format does not allow. */
    readonly code: 1007 | 1008,
    message: string,
  ) {
    super(message);
  }
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const maxCells = 65_535;
const nothing = Buffer.alloc(0);

/** @throws BadFrame that says what is wrong. */
export function parseClientFrame(text: string): ClientFrame {
  const frame = parseObject(text);
  const stdin = "stdin" in frame ? parseStdin(frame.stdin) : undefined;
  const size = "tty_size" in frame ? parseSize(frame.tty_size) : undefined;
  return { ...(stdin && { stdin }), ...(size && { size }) };
}

/** The first message when `ws_handshake` is asked for. @returns the token. @throws BadFrame with code 1008. */
export function parseHandshake(text: string): string {
  let frame: Readonly<Record<string, unknown>>;
  try {
    frame = parseObject(text);
  } catch (error) {
    throw new BadFrame(1008, `bad handshake: ${(error as Error).message}`);
  }
  if (frame.version !== 1) throw new BadFrame(1008, `unexpected handshake value: ${short(frame.version)}`);
  const token = frame.auth_token ?? "";
  if (typeof token !== "string") throw new BadFrame(1008, "handshake auth_token is no string");
  return token;
}

export const heartbeatFrame = "{}";
export const closeFrames = { 1: '{"stdout":{"close":true}}', 2: '{"stderr":{"close":true}}' } as const;
const outputHeads = { 1: '{"stdout":{"data":"', 2: '{"stderr":{"data":"' } as const;
const outputTail = '"}}';

/** As bytes: a text of this size would be copied twice more on its way. */
export function outputFrame(stream: 1 | 2, bytes: Buffer): Buffer {
  const head = outputHeads[stream];
  const data = bytes.toString("base64");
  const frame = Buffer.allocUnsafe(head.length + data.length + outputTail.length);
  frame.write(head, 0, "latin1");
  frame.write(data, head.length, "latin1");
  frame.write(outputTail, head.length + data.length, "latin1");
  return frame;
}
export const exitFrame = (exitCode: number): string => `{"exited":true,"result":{"exit_code":${exitCode}}}`;

/** A close frame carries at most 123 bytes of reason; a longer one could not be sent at all. */
export function closeReason(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= 123) return text;
  // A character that the cut went through becomes U+FFFD, which is dropped.
  return `${bytes
    .subarray(0, 120)
    .toString("utf8")
    .replace(/\uFFFD+$/, "")}...`;
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadFrame(1007, `the frame is no JSON: ${short(text)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new BadFrame(1008, `the frame is no JSON object: ${short(value)}`);
  return value as Readonly<Record<string, unknown>>;
}

function parseStdin(value: unknown): ClientFrame["stdin"] {
  if (value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) throw new BadFrame(1008, `stdin: got ${short(value)}, want an object`);
  const { data = "", close = false } = value as { data?: unknown; close?: unknown };
  if (typeof close !== "boolean") throw new BadFrame(1008, `stdin.close: got ${short(close)}, want true or false`);
  if (data === null) return { data: nothing, close };
  if (typeof data !== "string") throw new BadFrame(1008, `stdin.data: got ${short(data)}, want base64`);
  if (!base64.test(data)) throw new BadFrame(1007, `stdin.data: got ${short(data)}, want base64`);
  return { data: Buffer.from(data, "base64"), close };
}

function parseSize(value: unknown): ClientFrame["size"] {
  if (value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) throw new BadFrame(1008, `tty_size: got ${short(value)}, want an object`);
  const { height, width } = value as { height?: unknown; width?: unknown };
  return { rows: cells("height", height), cols: cells("width", width) };
}

function cells(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maxCells) return value;
  throw new BadFrame(1008, `tty_size.${name}: got ${short(value)}, want a whole number from 0 to ${maxCells}`);
}

const short = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 40);
