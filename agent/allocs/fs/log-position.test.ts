import fc from "fast-check";
import { type LogFile, logPosition } from "./log-position.js";

/** A log as one text, its files cut from it. */
const logs = fc
  .record({ parts: fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 6 }), first: fc.nat(1_000), gap: fc.nat(3) })
  .map(({ parts, first, gap }) => ({
    text: parts.join(""),
    parts,
    files: parts.map((part, i): LogFile => ({ index: first + i * (gap + 1), size: part.length })),
  }));

const readFrom = (log: { parts: string[]; files: LogFile[] }, origin: "start" | "end", offset: number): string => {
  const at = logPosition(log.files, origin, offset);
  const from = log.files.findIndex(({ index }) => index === at.index);
  return (log.parts[from] as string).slice(at.offset) + log.parts.slice(from + 1).join("");
};

test("an offset from the start leaves out so many bytes, and all when there are fewer", () => {
  fc.assert(fc.property(logs, fc.nat(150), (log, offset) => expect(readFrom(log, "start", offset)).toBe(log.text.slice(offset))));
});

test("an offset from the end gives so many bytes, and all when there are fewer", () => {
  fc.assert(
    fc.property(logs, fc.nat(150), (log, offset) =>
      expect(readFrom(log, "end", offset)).toBe(log.text.slice(Math.max(0, log.text.length - offset))),
    ),
  );
});

test("the end of a log is in its newest file, so that a follower goes on there", () => {
  fc.assert(
    fc.property(logs, (log) => {
      const last = log.files.at(-1) as LogFile;
      expect(logPosition(log.files, "end", 0)).toEqual({ index: last.index, offset: last.size });
      expect(logPosition(log.files, "start", Number.MAX_SAFE_INTEGER)).toEqual({ index: last.index, offset: last.size });
    }),
  );
});
