import fc from "fast-check";
import { overlap, RecentBytes } from "./overlap.js";

const lines = (from: number, to: number): Buffer =>
  Buffer.from(Array.from({ length: Math.max(0, to - from) }, (_, i) => `line ${from + i} of many\n`).join(""));

test("of output that never repeats itself the place is found, whatever the guess", () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), fc.nat(50), fc.nat(3000), (attached, logged, came, likely) => {
      const known = lines(0, attached + logged);
      const live = lines(attached, attached + came);
      const expected = came === 0 ? 0 : lines(attached, attached + logged).length;
      expect(overlap(known, live, likely)).toBe(expected);
    }),
  );
});

test("of output that repeats itself the likeliest place is taken", () => {
  const known = Buffer.from("tick\n".repeat(100));
  expect(overlap(known, Buffer.from("tick\n".repeat(7)), 35)).toBe(35);
  expect(overlap(known, Buffer.from("tick\n".repeat(7)), 33)).toBe(35);
});

test("what has nothing in common is all new", () => {
  expect(overlap(Buffer.from("one\n"), Buffer.from("two\n"), 4)).toBe(0);
  expect(overlap(Buffer.alloc(0), Buffer.from("two\n"), 0)).toBe(0);
});

test("no more than the latest bytes are kept", () => {
  const recent = new RecentBytes(10);
  for (let i = 0; i < 100; i++) recent.add(1, Buffer.from(`${i % 10}`.repeat(4)));
  expect(recent.of(1).length).toBeLessThan(14);
  expect(recent.of(1).toString()).toMatch(/^7*8{4}9{4}$/);
});
