import fc from "fast-check";
import { AllocdError } from "../agent/errors.js";
import { MAX_WAIT_MS, Query } from "./query.js";

test.each(["1", "t", "T", "TRUE", "true", "True"])("%s is true, as Go reads it", (value) => {
  expect(new Query(`resources=${value}`).bool("resources", false)).toBe(true);
});

test.each(["0", "f", "F", "FALSE", "false", "False"])("%s is false, as Go reads it", (value) => {
  expect(new Query(`task_states=${value}`).bool("task_states", true)).toBe(false);
});

test("an empty value is the default", () => {
  const query = new Query("resources=&wait=&per_page=&index=&namespace=");
  expect([query.bool("resources", true), query.waitMs, query.perPage, query.minIndex, query.namespace]).toEqual([
    true,
    MAX_WAIT_MS,
    0,
    0,
    "default",
  ]);
});

test.each([
  ["resources=banana", (q: Query) => q.bool("resources", false), /"resources" \(banana\) as a bool/],
  ["index=banana", (q: Query) => q.minIndex, /^Invalid index: got "banana"/],
  ["index=-1", (q: Query) => q.minIndex, /^Invalid index: got "-1"/],
  ["wait=5", (q: Query) => q.waitMs, /^Invalid wait time: got "5"/],
  ["wait=banana", (q: Query) => q.waitMs, /^Invalid wait time: got "banana"/],
  ["per_page=1.5", (q: Query) => q.perPage, /^Expect a number for `per_page`/],
  ["per_page=-1", (q: Query) => q.perPage, /^Expect a number for `per_page`/],
  ["stale=banana", (q: Query) => q.checkCommon("global"), /^Expect `true` or `false` for `stale`/],
  ["region=mars", (q: Query) => q.checkCommon("global"), /^No path to region: got "mars"/],
])("%s is refused by name", (search, read, text) => {
  expect(() => read(new Query(search))).toThrow(text);
});

test("a repeated parameter is refused by name", () => {
  expect(() => new Query("prefix=ab&prefix=cd")).toThrow(/"prefix": given more than once/);
});

test.each([
  ["wait=2s", 2_000],
  ["wait=500ms", 500],
  ["wait=1h", MAX_WAIT_MS],
  ["wait=0s", MAX_WAIT_MS],
  ["wait=-3s", MAX_WAIT_MS],
])("%s waits %d ms", (search, ms) => {
  expect(new Query(search).waitMs).toBe(ms);
});

test("reverse takes the exact word only", () => {
  expect(["reverse=true", "reverse=1", "reverse"].map((search) => new Query(search).reverse)).toEqual([true, false, false]);
});

test("pretty takes anything but 0", () => {
  expect(["pretty", "pretty=", "pretty=no", "pretty=0", ""].map((search) => new Query(search).pretty)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});

test("waiting for the same data does not change what is asked for", () => {
  expect(new Query("prefix=ab&index=7&wait=1s&stale=").cacheKey).toBe(new Query("wait=9s&prefix=ab").cacheKey);
  expect(new Query("prefix=ab&pretty").cacheKey).not.toBe(new Query("prefix=ab").cacheKey);
});

test("whatever is given, it is read or refused as the caller's mistake", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (name, value) => {
      const readers: ((q: Query) => unknown)[] = [
        (q) => q.bool(name, true),
        (q) => q.minIndex,
        (q) => q.waitMs,
        (q) => q.perPage,
        (q) => q.checkCommon("global"),
      ];
      for (const key of [name, "index", "wait", "per_page", "stale", "region"]) {
        const query = new Query(`${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
        for (const read of readers) {
          try {
            const got = read(query);
            if (typeof got === "number") expect(got).toBeGreaterThanOrEqual(0);
          } catch (error) {
            expect(error).toBeInstanceOf(AllocdError);
          }
        }
      }
    }),
  );
});
