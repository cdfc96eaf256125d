import { SystemClock } from "./clock.js";

test("times never repeat and never go back", () => {
  const clock = new SystemClock();
  const times = Array.from({ length: 10_000 }, () => clock.now());
  expect(new Set(times).size).toBe(times.length);
  expect(times.every((t, i) => i === 0 || t > (times[i - 1] ?? 0n))).toBe(true);
});

test("an aborted sleep ends at once", async () => {
  const abort = new AbortController();
  const slept = new SystemClock().sleep(60_000, abort.signal);
  abort.abort();
  await expect(slept).resolves.toBeUndefined();
});
