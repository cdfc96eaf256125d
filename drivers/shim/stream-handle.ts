import type { Readable, Writable } from "node:stream";

/*
 * The handle of libuv's stream below one of Node's. There is no public way to its descriptor, nor to stop reading at once:
 * `pause` lets one more chunk be read into Node's own buffer, where a successor could not find it.
 */

interface Handled {
  readonly _handle?: { readonly fd?: number; reading?: boolean; readStop(): void; readStart(): void };
}

const handleOf = (stream: Readable | Writable): Handled["_handle"] => (stream as unknown as Handled)._handle;

/** The descriptor of a socket, pipe or terminal; undefined when it is closed. */
export const descriptorOf = (stream: Readable | Writable): number | undefined => handleOf(stream)?.fd;

export function stopReading(stream: Readable): void {
  stream.pause();
  const handle = handleOf(stream);
  if (!handle) return;
  handle.readStop();
  handle.reading = false;
}

/** Undoes `stopReading`: a stream that waits for its handle does not start it again by itself. */
export function resumeReading(stream: Readable): void {
  const handle = handleOf(stream);
  if (handle && handle.reading === false) {
    handle.reading = true;
    handle.readStart();
  }
  stream.resume();
}
