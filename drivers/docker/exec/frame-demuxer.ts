import type { OutputStream } from "../../driver.js";

const headerBytes = 8;
const streams: Readonly<Record<number, OutputStream>> = { 1: 1, 2: 2 };

/**
 * Takes apart what the engine sends of a command without a terminal: a header (stream, three zeros, length as four bytes,
 * the greatest first) before each piece of output. Pieces are passed on as they come, without waiting for the rest of a
 * frame: a frame's length is the engine's word and no reason to hold that much.
 */
export class FrameDemuxer {
  readonly #sink: (stream: OutputStream, bytes: Buffer) => void;
  readonly #header = Buffer.alloc(headerBytes);
  #headerHas = 0;
  #stream: OutputStream = 1;
  /** Of the frame whose header was seen. */
  #bytesLeft = 0;

  constructor(sink: (stream: OutputStream, bytes: Buffer) => void) {
    this.#sink = sink;
  }

  /** Whether the stream may end here. */
  get betweenFrames(): boolean {
    return this.#headerHas === 0 && this.#bytesLeft === 0;
  }

  /** @throws Error when the bytes are no frames. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) at += this.#bytesLeft > 0 ? this.#payload(chunk, at) : this.#readHeader(chunk, at);
  }

  #payload(chunk: Buffer, at: number): number {
    const piece = chunk.subarray(at, at + this.#bytesLeft);
    this.#bytesLeft -= piece.length;
    this.#sink(this.#stream, piece);
    return piece.length;
  }

  #readHeader(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#header, this.#headerHas, at);
    this.#headerHas += taken;
    if (this.#headerHas < headerBytes) return taken;
    this.#headerHas = 0;
    const number = this.#header.readUInt8(0);
    const stream = streams[number];
    if (stream === undefined) throw new Error(`the engine sent a frame of stream ${number}`);
    this.#stream = stream;
    this.#bytesLeft = this.#header.readUInt32BE(4);
    return taken;
  }
}
