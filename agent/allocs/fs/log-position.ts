import type { Origin } from "./piece.js";

/** One file of a log: `<task>.<type>.<index>`. */
export interface LogFile {
  readonly index: number;
  /** Bytes. */
  readonly size: number;
}

/** Where a read begins. */
export interface LogPosition {
  readonly index: number;
  /** Bytes from the file's start. */
  readonly offset: number;
}

/**
 * The place that is `offset` bytes after a log's start or before its end, its files taken as one. Beyond either side it
 * is that side. Source: reference behaviour §9.4.
 *
 * @param files at least one, by rising index.
 */
export function logPosition(files: readonly LogFile[], origin: Origin, offset: number): LogPosition {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let rest = origin === "start" ? offset : Math.max(0, total - offset);
  for (const { index, size } of files) {
    if (rest < size) return { index, offset: rest };
    rest -= size;
  }
  const { index, size } = files.at(-1) as LogFile;
  return { index, offset: size };
}
