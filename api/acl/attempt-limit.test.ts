import { ManualClock } from "../testing/manual.js";
import { AttemptLimit } from "./attempt-limit.js";

function setup(maxFailures = 3) {
  const clock = new ManualClock();
  return { clock, limit: new AttemptLimit(clock, { maxFailures, windowMs: 60_000 }) };
}

const fail = (limit: AttemptLimit, address: string, times: number): void => {
  for (let i = 0; i < times; i++) limit.tried(address, undefined);
};

test("after too many wrong tokens an address waits, a right guess included, and others do not", async () => {
  const { limit, clock } = setup();
  fail(limit, "a", 3);
  expect(() => limit.tried("a", undefined)).toThrow(expect.objectContaining({ status: 429, seconds: 60 }));
  expect(() => limit.tried("a", "guessed")).toThrow(/try again in 60 s/);
  limit.tried("b", undefined);
  limit.tried("b", "theirs");
  await clock.advance(60_000);
  limit.tried("a", "guessed");
});

test("who was in before is not locked out by another program of the same address", () => {
  const { limit } = setup();
  limit.tried("a", "known");
  fail(limit, "a", 3);
  limit.tried("a", "known");
  expect(() => limit.tried("a", "other")).toThrow(/too many/);
});

test("right tokens do not count, and 0 is no limit", () => {
  const { limit } = setup();
  for (let i = 0; i < 100; i++) limit.tried("a", "known");
  limit.tried("a", undefined);
  fail(setup(0).limit, "a", 1_000);
});

test("the table is bounded", () => {
  const { limit } = setup();
  for (let i = 0; i < 30_000; i++) limit.tried(`address ${i}`, undefined);
  expect(limit.size).toBe(10_000);
});
