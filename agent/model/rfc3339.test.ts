import fc from "fast-check";
import { formatRfc3339 } from "./rfc3339.js";

describe("formatRfc3339", () => {
  test.each([
    [0n, "1970-01-01T00:00:00Z"],
    [1_795_447_306_861_577_627n, "2026-11-23T15:21:46.861577627Z"],
    [1_795_447_306_100_000_000n, "2026-11-23T15:21:46.1Z"],
    [1_795_447_306_000_000_001n, "2026-11-23T15:21:46.000000001Z"],
    [-1n, "1969-12-31T23:59:59.999999999Z"],
  ])("%s ns is %s", (ns, text) => expect(formatRfc3339(ns)).toBe(text));

  test("is the time, to the nanosecond", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (ns) => {
        const [, fraction = ""] = /\.(\d+)Z$/.exec(formatRfc3339(ns)) ?? [];
        const seconds = BigInt(Date.parse(formatRfc3339(ns).replace(/\.\d+Z$/, "Z"))) * 1_000_000n;
        expect(seconds + BigInt(fraction.padEnd(9, "0"))).toBe(ns);
        expect(fraction).not.toMatch(/0$/);
      }),
    );
  });
});
