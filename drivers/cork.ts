import type { Writable } from "node:stream";

/** Holds what is written to a stream until the end of this turn of the event loop, so that small frames leave together: each write is a system call, and wakes its reader. */
export function corkForTurn(stream: Writable): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}
