import fc from "fast-check";
import { encodeFrame, FrameDecoder, FrameError, maxFrameBytes } from "./frames.js";

test("frames survive any cut of the stream", () => {
  const frame = fc.record({
    header: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean())),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.integer({ min: 1, max: 50 }), (frames, size) => {
      const bytes = Buffer.concat(frames.map(({ header, payload }) => encodeFrame(header, Buffer.from(payload))));
      const decoder = new FrameDecoder<object>();
      const seen = [];
      for (let at = 0; at < bytes.length; at += size) seen.push(...decoder.push(bytes.subarray(at, at + size)));
      expect(seen.map(({ header, payload }) => ({ header: JSON.stringify(header), payload: [...payload] }))).toEqual(
        frames.map(({ header, payload }) => ({ header: JSON.stringify(header), payload: [...payload] })),
      );
    }),
  );
});

test("the first version's bytes are what they were", () => {
  expect(encodeFrame({ op: "list", id: 1 }, Buffer.from("x")).toString("latin1")).toBe(
    '\0\0\0\x1a\0\0\0\x15{"op":"list","id":1}x'.replace("\x1a", String.fromCharCode(4 + 20 + 1)).replace("\x15", String.fromCharCode(20)),
  );
});

test.each([
  ["too long", [0x7f, 0xff, 0xff, 0xff]],
  ["shorter than its own head", [0, 0, 0, 3]],
])("a frame that is %s ends the stream", (_what, head) => {
  expect(() => new FrameDecoder().push(Buffer.from(head))).toThrow(FrameError);
});

test("a header that reaches beyond its frame, or is no JSON, ends the stream", () => {
  expect(() => new FrameDecoder().push(Buffer.from([0, 0, 0, 5, 0, 0, 0, 9, 1]))).toThrow(FrameError);
  expect(() => new FrameDecoder().push(Buffer.from([0, 0, 0, 5, 0, 0, 0, 1, 1]))).toThrow(FrameError);
  expect(maxFrameBytes).toBeGreaterThan(64 * 1024);
});
