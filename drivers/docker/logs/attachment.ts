import type { Readable } from "node:stream";
import type { OutputStream } from "../../driver.js";
import { FrameDemuxer } from "../exec/frame-demuxer.js";

export type OutputSink = (stream: OutputStream, bytes: Buffer) => void;

/** So much is held while it is found out where it belongs; then the container has to wait. */
const maxHeld = 1024 * 1024;

/** A container's output as it comes. It is held back until `release` says what is to be done with it. */
export class Attachment {
  /** Resolves when no more will come. */
  readonly ended: Promise<void>;
  readonly #source: Readable;
  readonly #held: { stream: OutputStream; bytes: Buffer }[] = [];
  readonly #received: Record<OutputStream, number> = { 1: 0, 2: 0 };
  readonly #toDrop: Record<OutputStream, number> = { 1: 0, 2: 0 };
  #sink: OutputSink | null = null;

  constructor(source: Readable, tty: boolean) {
    this.#source = source;
    const demuxer = new FrameDemuxer((stream, bytes) => this.#take(stream, bytes));
    source.on("data", (chunk: Buffer) => {
      try {
        if (tty) this.#take(1, chunk);
        else demuxer.push(chunk);
      } catch (error) {
        source.destroy(error as Error);
      }
    });
    source.on("error", () => {});
    this.ended = new Promise((resolve) => source.once("close", () => resolve()));
  }

  /** Whether the container has to wait. */
  get isFull(): boolean {
    return this.#sink === null && this.#received[1] + this.#received[2] >= maxHeld;
  }

  received(stream: OutputStream): number {
    return this.#received[stream];
  }

  held(stream: OutputStream): Buffer {
    return Buffer.concat(this.#held.filter((piece) => piece.stream === stream).map(({ bytes }) => bytes));
  }

  /** Passes on what was held and what comes, but for so many bytes at the beginning of each stream. */
  release(drop: Readonly<Record<OutputStream, number>>, sink: OutputSink): void {
    Object.assign(this.#toDrop, drop);
    this.#sink = sink;
    for (const { stream, bytes } of this.#held.splice(0)) this.#pass(stream, bytes, sink);
    this.#source.resume();
  }

  close(): void {
    this.#source.destroy();
  }

  #take(stream: OutputStream, bytes: Buffer): void {
    this.#received[stream] += bytes.length;
    if (this.#sink) this.#pass(stream, bytes, this.#sink);
    else this.#held.push({ stream, bytes });
    if (this.isFull) this.#source.pause();
  }

  #pass(stream: OutputStream, bytes: Buffer, sink: OutputSink): void {
    const dropped = Math.min(bytes.length, this.#toDrop[stream]);
    this.#toDrop[stream] -= dropped;
    if (dropped < bytes.length) sink(stream, bytes.subarray(dropped));
  }
}
