import fc from "fast-check";
import type { OutputStream } from "../../driver.js";
import { FrameDemuxer } from "./frame-demuxer.js";

type Piece = readonly [stream: OutputStream, bytes: Uint8Array];

function frame([stream, bytes]: Piece): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

/** Neighbours of the same stream as one: where the cuts were is nobody's business. */
function merged(pieces: readonly Piece[]): [OutputStream, string][] {
  const all: [OutputStream, string][] = [];
  for (const [stream, bytes] of pieces) {
    if (bytes.length === 0) continue;
    const hex = Buffer.from(bytes).toString("hex");
    const last = all.at(-1);
    if (last?.[0] === stream) last[1] += hex;
    else all.push([stream, hex]);
  }
  return all;
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((from, i) => bytes.subarray(from, sorted[i] ?? bytes.length));
}

const pieces = fc.array(fc.tuple(fc.constantFrom<OutputStream>(1, 2), fc.uint8Array({ maxLength: 300 })), { maxLength: 20 });

test("however the stream is cut, each output gets its own bytes in order", () => {
  fc.assert(
    fc.property(pieces, fc.array(fc.nat(), { maxLength: 60 }), (sent, places) => {
      const got: Piece[] = [];
      const demuxer = new FrameDemuxer((stream, bytes) => got.push([stream, Buffer.from(bytes)]));
      for (const chunk of cutAt(Buffer.concat(sent.map(frame)), places)) demuxer.push(chunk);
      expect(merged(got)).toEqual(merged(sent));
      expect(demuxer.betweenFrames).toBe(true);
    }),
  );
});

test("what came of an unfinished frame is passed on at once", () => {
  const got: string[] = [];
  const demuxer = new FrameDemuxer((_stream, bytes) => got.push(bytes.toString()));
  demuxer.push(frame([2, Buffer.from("hello world")]).subarray(0, 13));
  expect([got, demuxer.betweenFrames]).toEqual([["hello"], false]);
});

test.each([0, 3, 7, 255])("a frame of stream %i is an error and not output", (stream) => {
  const demuxer = new FrameDemuxer(() => {});
  expect(() => demuxer.push(Buffer.from([stream, 0, 0, 0, 0, 0, 0, 1, 65]))).toThrow(`stream ${stream}`);
});
