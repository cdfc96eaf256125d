import fc from "fast-check";
import { chance, oddFrame } from "../../test/support/random.js";
import { BadFrame, closeReason, exitFrame, outputFrame, parseClientFrame, parseHandshake } from "./exec-frames.js";

const encoded = (text: string): string => Buffer.from(text).toString("base64");

test.each([
  ["{}", {}],
  ['{"foo":1}', {}],
  ['{"stdin":{"data":""}}', { stdin: { data: Buffer.alloc(0), close: false } }],
  ['{"stdin":null,"tty_size":null}', {}],
  [`{"stdin":{"data":"${encoded("abc")}","close":true}}`, { stdin: { data: Buffer.from("abc"), close: true } }],
  ['{"stdin":{"close":true}}', { stdin: { data: Buffer.alloc(0), close: true } }],
  ['{"tty_size":{"height":40,"width":100}}', { size: { rows: 40, cols: 100 } }],
])("%s is taken", (text, frame) => {
  expect(parseClientFrame(text)).toEqual(frame);
});

test.each([
  ["garbage", 1007],
  ["", 1007],
  ["[1]", 1008],
  ["null", 1008],
  ["7", 1008],
  ['{"stdin":{"data":"!!!"}}', 1007],
  ['{"stdin":{"data":"QQ="}}', 1007],
  ['{"stdin":{"data":7}}', 1008],
  ['{"stdin":"x"}', 1008],
  ['{"stdin":{"close":"yes"}}', 1008],
  ['{"tty_size":{"height":"x"}}', 1008],
  ['{"tty_size":{"height":-1,"width":1}}', 1008],
  ['{"tty_size":{"height":1e9,"width":1}}', 1008],
])("%s is refused with %i", (text, code) => {
  expect(() => parseClientFrame(text)).toThrow(BadFrame);
  expect(() => parseClientFrame(text)).toThrow(expect.objectContaining({ code }));
});

test("bytes survive the way through a frame, whatever they are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
      const frame = JSON.parse(String(outputFrame(1, Buffer.from(bytes)))) as { stdout: { data: string } };
      expect([...(parseClientFrame(JSON.stringify({ stdin: frame.stdout })).stdin?.data ?? [])]).toEqual([...bytes]);
    }),
  );
});

test("no message makes anything but a frame or a BadFrame", () => {
  const json = fc.json().map((text) => `{"stdin":${text},"tty_size":${text}}`);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), json), (text) => {
      try {
        parseClientFrame(text);
      } catch (error) {
        expect(error).toBeInstanceOf(BadFrame);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("the exit frame carries its code, 0 too", () => {
  expect(exitFrame(0)).toBe('{"exited":true,"result":{"exit_code":0}}');
});

test("a handshake of another version, or none, is refused", () => {
  expect(parseHandshake('{"version":1,"auth_token":"x"}')).toBe("x");
  expect(parseHandshake('{"version":1}')).toBe("");
  expect(() => parseHandshake('{"version":2,"auth_token":""}')).toThrow("unexpected handshake value: 2");
  expect(() => parseHandshake("garbage")).toThrow(expect.objectContaining({ code: 1008 }));
});

test("a reason has at most 123 bytes and no broken character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
      const reason = closeReason(text);
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
      expect(text.startsWith(reason.replace(/\.\.\.$/, ""))).toBe(true);
    }),
  );
});

test("100,000 random and bent frames are each taken or refused with a code and a reason that fits", () => {
  const random = chance(100_000);
  const outcomes = new Map<unknown, number>();
  for (let i = 0; i < 100_000; i++) {
    const text = oddFrame(random);
    let outcome: unknown = "taken";
    try {
      const { stdin, size, ...others } = parseClientFrame(text);
      const sound =
        (!stdin || (Buffer.isBuffer(stdin.data) && typeof stdin.close === "boolean")) &&
        (!size || [size.rows, size.cols].every((cells) => Number.isInteger(cells) && cells >= 0 && cells <= 65_535));
      if (!sound || Object.keys(others).length > 0) outcome = text;
    } catch (error) {
      outcome = error instanceof BadFrame && Buffer.byteLength(closeReason(error.message)) <= 123 ? error.code : error;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  expect([...outcomes.keys()].sort()).toEqual([1007, 1008, "taken"]);
  for (const count of outcomes.values()) expect(count).toBeGreaterThan(5_000);
});

test("a megabyte of base64 with a fault at its end is refused like any other", () => {
  const frame = (data: string): string => JSON.stringify({ stdin: { data } });
  expect(parseClientFrame(frame("A".repeat(1_048_576))).stdin?.data.length).toBe(786_432);
  expect(() => parseClientFrame(frame(`${"A".repeat(1_048_576)}!`))).toThrow(expect.objectContaining({ code: 1007 }));
});
