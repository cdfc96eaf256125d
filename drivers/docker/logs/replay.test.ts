import fc from "fast-check";
import type { OutputStream } from "../../driver.js";
import type { LogMessage } from "./log-message.js";
import type { Anchor } from "./log-position.js";
import { type Replayed, replay, replayFrom } from "./replay.js";

/** Log files in memory. */
class Pages implements Replayed {
  readonly text: Record<OutputStream, string> = { 1: "", 2: "" };
  readonly anchors: Record<OutputStream, Anchor | null> = { 1: start, 2: start };
  wroteAt = "";
  written = (stream: OutputStream): number => this.text[stream].length;
  anchor = (stream: OutputStream): Anchor | null => this.anchors[stream];
  setAnchor = (stream: OutputStream, anchor: Anchor | null): void => {
    this.anchors[stream] = anchor;
  };
  append = (stream: OutputStream, bytes: Buffer): void => {
    this.text[stream] += bytes.toString("latin1");
  };
  get counts(): Record<OutputStream, number> {
    return { 1: this.text[1].length, 2: this.text[2].length };
  }
}

const start: Anchor = { at: "", written: 0, isMessage: false };
const stamp = (n: number): string => `2026-01-01T00:00:00.${String(n).padStart(9, "0")}Z`;
const later = stamp(999_999_999);

async function* since(log: readonly LogMessage[], at: string): AsyncGenerator<LogMessage> {
  yield* log.filter((message) => message.at >= at);
}

const textOf = (log: readonly LogMessage[], stream: OutputStream): string =>
  log
    .filter((message) => message.stream === stream)
    .map(({ bytes }) => bytes.toString("latin1"))
    .join("");

/** Messages of both streams in the order in which the engine keeps them; several of one time, and few different texts. */
const logs = fc
  .array(
    fc.record({
      stream: fc.constantFrom<OutputStream>(1, 2),
      step: fc.integer({ min: 0, max: 2 }),
      text: fc.constantFrom("a\n", "again\n", "b", "longer line\n"),
    }),
    { maxLength: 60 },
  )
  .map((steps) => {
    let at = 1;
    return steps.map(({ stream, step, text }): LogMessage => {
      at += step;
      return { stream, at: stamp(at), bytes: Buffer.from(text) };
    });
  });

test("wherever writing was broken off, at any byte of each stream, a replay makes the log whole, and a second adds nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      logs,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (log, one, two) => {
        const pages = new Pages();
        pages.text[1] = textOf(log, 1).slice(0, Math.floor(one * textOf(log, 1).length));
        pages.text[2] = textOf(log, 2).slice(0, Math.floor(two * textOf(log, 2).length));
        for (let time = 0; time < 2; time++) {
          const { gap } = await replay(since(log, replayFrom(pages)), pages, { written: pages.counts, write: true, settledAt: later });
          expect(gap).toBe(false);
          expect(pages.text).toEqual({ 1: textOf(log, 1), 2: textOf(log, 2) });
        }
      },
    ),
  );
});

test("anchors that are moved on from time to time lead to the same", async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.array(fc.nat({ max: 60 }), { maxLength: 4 }), fc.nat({ max: 60 }), async (log, stops, more) => {
      const pages = new Pages();
      let have = 0;
      for (const stop of [...stops].sort((a, b) => a - b)) {
        const now = log.slice(0, stop);
        for (const message of now.slice(have)) pages.append(message.stream, message.bytes);
        have = Math.max(have, now.length);
        // More may be in the engine's log than has come to us.
        const ahead = log.slice(0, stop + more);
        const settledAt = ahead.at(-1)?.at ?? "";
        await replay(since(ahead, replayFrom(pages)), pages, { written: pages.counts, write: false, settledAt });
      }
      await replay(since(log, replayFrom(pages)), pages, { written: pages.counts, write: true, settledAt: later });
      expect(pages.text).toEqual({ 1: textOf(log, 1), 2: textOf(log, 2) });
    }),
  );
});

const line = (n: number): LogMessage => ({ stream: 1, at: stamp(n), bytes: Buffer.from(`${n}\n`) });

test("a log whose beginning the engine has dropped is gone on with from the time of the last write", async () => {
  const pages = new Pages();
  pages.text[1] = "1\n2\n3\n";
  pages.setAnchor(1, { at: stamp(2), written: 2, isMessage: true });
  pages.wroteAt = `${stamp(5).slice(0, -1)}Z`;
  const { gap } = await replay(since([line(4), line(6), line(7)], replayFrom(pages)), pages, {
    written: pages.counts,
    write: true,
    settledAt: "",
  });
  expect(gap).toBe(true);
  expect(pages.text[1]).toBe("1\n2\n3\n6\n7\n");
  expect(pages.anchor(1)).toEqual({ at: stamp(7), written: 8, isMessage: true });
});

test("a log that has less than was written is not counted in any more", async () => {
  const pages = new Pages();
  pages.text[1] = "1\n2\n3\n";
  pages.wroteAt = stamp(3);
  const options = { write: true, settledAt: later };
  expect(await replay(since([line(3), line(4)], ""), pages, { ...options, written: pages.counts })).toEqual({ gap: true });
  expect(pages.anchor(1)).toBeNull();
  await replay(since([line(3), line(4)].slice(1), replayFrom(pages)), pages, { ...options, written: pages.counts });
  expect(pages.text[1]).toBe("1\n2\n3\n4\n");
});
