import fc from "fast-check";
import type { OutputStream } from "../../driver.js";
import { logMessages, sinceOf, stampOf } from "./log-message.js";

const at = "2026-11-24T23:00:00.123456789Z";

const frame = (stream: number, text: string): Buffer => {
  const payload = Buffer.from(`${at} ${text}`);
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
};

async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let from = 0;
  for (const size of sizes) {
    yield bytes.subarray(from, from + size);
    from += size;
  }
  yield bytes.subarray(from);
}

const all = async (source: AsyncIterable<{ stream: OutputStream; at: string; bytes: Buffer }>) => {
  const found: { stream: OutputStream; at: string; text: string }[] = [];
  for await (const { stream, at: when, bytes } of source) found.push({ stream, at: when, text: bytes.toString() });
  return found;
};

test("frames are taken apart however the stream is cut", async () => {
  const messages = [
    { stream: 1, text: "out\n" },
    { stream: 2, text: "" },
    { stream: 1, text: `${at} in the text\n` },
    { stream: 2, text: "no end" },
  ] as const;
  const bytes = Buffer.concat(messages.map(({ stream, text }) => frame(stream, text)));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 40 }), { maxLength: 12 }), async (sizes) => {
      expect(await all(logMessages(cut(bytes, sizes), false))).toEqual(messages.map((message) => ({ ...message, at })));
    }),
  );
});

test("a terminal's output is taken apart at its lines, and where the engine has cut one", async () => {
  const long = "x".repeat(16 * 1024);
  const texts = ["first\r\n", long, "rest of it\r\n", "prompt$ "];
  const bytes = Buffer.from(texts.map((text) => `${at} ${text}`).join(""));
  for (const sizes of [[], [3, 40, 100], Array.from({ length: 600 }, () => 31)]) {
    expect((await all(logMessages(cut(bytes, sizes), true))).map(({ text }) => text)).toEqual(texts);
  }
});

test("what is no log is an error", async () => {
  await expect(all(logMessages(cut(Buffer.from("no frame at all"), []), false))).rejects.toThrow("frame of stream");
  await expect(all(logMessages(cut(Buffer.from("no stamp\n"), []), true))).rejects.toThrow("without timestamps");
});

test("moments are told to the nanosecond", () => {
  expect(sinceOf(at)).toBe("1795561200.123456789");
  expect(sinceOf("")).toBe("0");
  expect(stampOf(1_795_561_200_123_456_789n)).toBe(at);
});
