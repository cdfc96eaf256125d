/*
 * One frame on the shim's socket:
 *
 *   u32 BE  length of all that follows
 *   u32 BE  length of the header
 *   header  JSON, UTF-8
 *   payload raw bytes, what is left
 */

/** A frame above this size is a defect of the peer; the connection ends. */
export const maxFrameBytes = 4 * 1024 * 1024;

export interface Frame<Header> {
  readonly header: Header;
  readonly payload: Buffer;
}

const noPayload = Buffer.alloc(0);

export function encodeFrame(header: object, payload: Buffer = noPayload): Buffer {
  const text = JSON.stringify(header);
  const headerBytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(8 + headerBytes + payload.length);
  frame.writeUInt32BE(4 + headerBytes + payload.length, 0);
  frame.writeUInt32BE(headerBytes, 4);
  frame.write(text, 8);
  payload.copy(frame, 8 + headerBytes);
  return frame;
}

export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Cuts a byte stream into frames. The peer is trusted to be ours, yet a wrong length must not eat memory. */
export class FrameDecoder<Header> {
  #parts: Buffer[] = [];
  #have = 0;
  #need = 4;

  /** @throws FrameError when the stream can not be followed any more. */
  push(chunk: Buffer): Frame<Header>[] {
    this.#parts.push(chunk);
    this.#have += chunk.length;
    const frames: Frame<Header>[] = [];
    while (this.#have >= this.#need) {
      const bytes = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, this.#have);
      const length = bytes.readUInt32BE(0);
      if (length < 4 || length > maxFrameBytes) throw new FrameError(`a frame of ${length} bytes`);
      this.#need = 4 + length;
      if (bytes.length < this.#need) {
        this.#parts = [bytes];
        break;
      }
      frames.push(decode<Header>(bytes.subarray(4, this.#need)));
      const rest = bytes.subarray(this.#need);
      this.#parts = rest.length > 0 ? [rest] : [];
      this.#have = rest.length;
      this.#need = 4;
    }
    return frames;
  }
}

function decode<Header>(body: Buffer): Frame<Header> {
  const headerBytes = body.readUInt32BE(0);
  if (headerBytes > body.length - 4) throw new FrameError(`a header of ${headerBytes} bytes in a frame of ${body.length}`);
  try {
    return { header: JSON.parse(body.toString("utf8", 4, 4 + headerBytes)) as Header, payload: body.subarray(4 + headerBytes) };
  } catch (error) {
    throw new FrameError("a header that is no JSON", { cause: error });
  }
}
