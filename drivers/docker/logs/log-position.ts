import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { OutputStream } from "../../driver.js";
import type { LogPlace } from "../../shim/rotating-log.js";

/**
 * A moment of the engine's log of which it is known how much had been written by then: all messages of the stream before
 * it make so many bytes.
 */
export interface Anchor {
  /** The engine's timestamp; "" is the container's start. */
  readonly at: string;
  readonly written: number;
  /** Whether a message has exactly this timestamp, so that its absence tells that the engine has dropped some. */
  readonly isMessage: boolean;
}

/** How far one stream of a container has been written to its log files. */
export interface StreamPosition {
  /** Bytes since the container's start when the log was at `place`. */
  readonly written: number;
  readonly place: LogPlace;
  /** Null while the engine drops output sooner than its place can be told. */
  readonly anchor: Anchor | null;
}

export interface LogPosition {
  readonly version: 1;
  readonly streams: Readonly<Record<OutputStream, StreamPosition>>;
  /** When something was last written, as the engine would say it. */
  readonly wroteAt: string;
}

/** @returns null when there is none, or it can not be made use of. */
export function loadPosition(file: string): LogPosition | null {
  try {
    const found = JSON.parse(readFileSync(file, "utf8")) as Partial<LogPosition>;
    return found.version === 1 && found.streams?.[1] && found.streams[2] ? (found as LogPosition) : null;
  } catch {
    return null;
  }
}

/** Whole or not at all. */
export function savePosition(file: string, position: LogPosition): void {
  const draft = `${file}.new`;
  writeFileSync(draft, JSON.stringify(position), { mode: 0o600 });
  renameSync(draft, file);
}

export function removePosition(file: string): void {
  rmSync(file, { force: true });
  rmSync(`${file}.new`, { force: true });
}
