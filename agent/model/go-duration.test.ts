import fc from "fast-check";
import { formatGoDuration, parseGoDuration } from "./go-duration.js";

describe("formatGoDuration", () => {
  test.each([
    [0, "0s"],
    [1, "1ns"],
    [1_500, "1.5µs"],
    [200_000_000, "200ms"],
    [5_000_000_000, "5s"],
    [1_145_090_089, "1.145090089s"],
    [60_000_000_000, "1m0s"],
    [300_000_000_000, "5m0s"],
    [3_600_000_000_000, "1h0m0s"],
    [-90_000_000_000, "-1m30s"],
    [9_223_372_036_854_775_807n, "2562047h47m16.854775807s"],
  ])("%s ns is %s", (ns, text) => expect(formatGoDuration(ns)).toBe(text));
});

describe("parseGoDuration", () => {
  test.each([
    ["0", 0],
    ["2s", 2e9],
    ["500ms", 5e8],
    ["1m30s", 9e10],
    ["1.5h", 5.4e12],
    [".5s", 5e8],
    ["1.s", 1e9],
    ["+3us", 3_000],
    ["3µs", 3_000],
    ["3μs", 3_000],
    ["-2ns", -2],
    ["1h0m0.25s", 3_600_250_000_000],
    ["1h15m30.918s", 4_530_918_000_000],
    ["1us1ns", 1_001],
    ["1.9ns", 1],
    ["-1.9ns", -1],
    ["0.000000001s", 1],
    ["0.0000000019s", 1],
    ["1m1m", 12e10],
    ["2562047h47m16.854775807s", 2 ** 63],
  ])("%s", (text, ns) => expect(parseGoDuration(text)).toBe(ns));

  test.each(["", "5", "-", "s", ".s", "1 s", "1d", "1s2", "1e3s", "--1s", "2562047h47m16.854775808s", "2562048h", `${"9".repeat(400)}h`])(
    "%j is refused",
    (text) => {
      expect(() => parseGoDuration(text)).toThrow(/invalid duration/);
    },
  );

  test("a refusal shows what was given, and no more of it than a line", () => {
    expect(() => parseGoDuration("5 s")).toThrow('invalid duration "5 s", want one such as "30s" or "1m30s"');
    expect(() => parseGoDuration("1".repeat(1_000_000))).toThrow(/^.{1,200}$/);
  });

  test("reads back what was formatted", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (ns) => expect(parseGoDuration(formatGoDuration(ns))).toBe(ns === 0 ? 0 : ns)),
      { examples: [[Number.MAX_SAFE_INTEGER], [-1], [59_999_999_999]] },
    );
  });
});
