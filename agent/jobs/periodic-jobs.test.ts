import fc from "fast-check";
import { CronTimes } from "../model/cron.js";
import type { Job } from "../model/job.js";
import { aBatch } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

const periodic = (change: object = {}): Job =>
  aBatch({
    Periodic: { Enabled: true, Spec: "* * * * *", Specs: null, SpecType: "cron", ProhibitOverlap: false, TimeZone: "UTC", ...change },
  });
const MINUTE = 60_000;

let host: Host;
beforeEach(async () => {
  host = await Host.started();
});
afterEach(() => host.close());

const children = (): readonly Job[] => host.store.childrenOfJob("default", "job");
const launches = (): readonly number[] => children().map(({ ID }) => Number(ID.split("/periodic-")[1]));
const nowSeconds = (): number => Number(host.clock.now() / 1_000_000_000n);
/** Lets times pass as an agent sees them: no timer of it sleeps longer than this. */
const minutes = async (count: number): Promise<void> => {
  for (let step = 0; step < count * 4; step++) await host.pass(MINUTE / 4);
};

test("a periodic job runs, but only its children are placed", async () => {
  const result = await host.register(periodic());
  expect(result).toMatchObject({ EvalID: "", EvalCreateIndex: 0 });
  expect(host.job()).toMatchObject({ Status: "running", Version: 0 });
  expect(host.allocs()).toEqual([]);
  await minutes(3);
  expect(host.allocs()).toEqual([]);
  expect(children()).toHaveLength(3);
  const [child] = children();
  expect(child).toMatchObject({ ParentID: "job", Name: child?.ID, Periodic: null, Status: "running", Version: 0 });
  expect(host.live(child?.ID)).toHaveLength(1);
  expect(host.evals(child?.ID)[0]).toMatchObject({ TriggeredBy: "periodic-job", Status: "complete" });
  for (const at of launches()) expect(at % 60).toBe(0);
});

test("what overlaps is not launched when that is prohibited, and the next time is", async () => {
  await host.register(periodic({ ProhibitOverlap: true }));
  await minutes(3);
  expect(children()).toHaveLength(1);
  await host.report(host.only(children()[0]?.ID), "complete");
  expect(children()[0]?.Status).toBe("dead");
  await minutes(2);
  expect(children()).toHaveLength(2);
});

test.each([
  ["a job that is not enabled", (): Job => periodic({ Enabled: false })],
  ["a stopped job", (): Job => periodic()],
])("%s is not launched", async (what, job) => {
  await host.register(job());
  if (what === "a stopped job") await host.jobs.deregister("default", "job", { purge: false, noShutdownDelay: false });
  await minutes(3);
  expect(children()).toEqual([]);
  await expect(host.jobs.forcePeriodic("default", "job")).rejects.toThrow("can't force run non-tracked job job (default)");
});

test("a stopped periodic job is dead, and its children go on", async () => {
  await host.register(periodic());
  await minutes(1);
  await host.jobs.deregister("default", "job", { purge: false, noShutdownDelay: false });
  await host.settle();
  expect(host.job()).toMatchObject({ Status: "dead", Stop: true });
  expect(host.live(children()[0]?.ID)).toHaveLength(1);
});

test("a service that becomes periodic gives up what it had placed", async () => {
  await host.register(aBatch());
  expect(host.live()).toHaveLength(1);
  await host.register(periodic());
  await host.stopped();
  expect(host.live()).toEqual([]);
  expect(host.job().Status).toBe("running");
});

test("times of several expressions are one sequence, in the job's time zone", () => {
  const times = new CronTimes({ Spec: "", Specs: ["0 12 * * *", "30 12 * * *"], TimeZone: "Asia/Kolkata" });
  const from = Date.UTC(2026, 5, 1) / 1000;
  const first = times.next(from) ?? 0;
  expect(new Date(first * 1000).toISOString()).toBe("2026-06-01T06:30:00.000Z");
  expect(times.next(first)).toBe(first + 1800);
});

test.each([
  ["*/5 * * * *", "2026-06-01T00:05:00.000Z"],
  ["@daily", "2026-06-02T00:00:00.000Z"],
  ["0 0 1 1 * 2030", "2030-01-01T00:00:00.000Z"],
  ["*/10 * * * * * *", "2026-06-01T00:00:10.000Z"],
  ["0 0 L * *", "2026-06-30T00:00:00.000Z"],
  ["0 0 1 1 * 2020", undefined],
])("%s comes next at %s", (Spec, expected) => {
  const next = new CronTimes({ Spec, Specs: null, TimeZone: "UTC" }).next(Date.UTC(2026, 5, 1) / 1000);
  expect(next === undefined ? undefined : new Date(next * 1000).toISOString()).toBe(expected);
});

test.each(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])("times in %s only ever go forward", (TimeZone) => {
  const spec = fc.constantFrom("30 2 * * *", "*/20 * * * *", "0 1-3 * * *", "15 2,3 * * 0", "59 1 * * *");
  // The days around both changes of the clocks, in each hemisphere.
  const start = fc.tuple(
    fc.constantFrom(Date.UTC(2026, 2, 7), Date.UTC(2026, 2, 28), Date.UTC(2026, 9, 3), Date.UTC(2026, 9, 24)),
    fc.nat(172_800),
  );
  fc.assert(
    fc.property(spec, start, (Spec, [day, offset]) => {
      const times = new CronTimes({ Spec, Specs: null, TimeZone });
      let at = day / 1000 + offset;
      for (let i = 0; i < 30; i++) {
        const next = times.next(at) ?? 0;
        expect(next).toBeGreaterThan(at);
        // Nothing between two times is one: whoever asks from there gets the same.
        expect(times.next(at + Math.floor((next - at) / 2))).toBe(next);
        at = next;
      }
    }),
    { numRuns: 40 },
  );
});

test("no time is launched twice or forgotten, whatever the agent and its clock do", async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 90_000 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("restart" as const), ms: fc.integer({ min: 0, max: 400_000 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("jump" as const), ms: fc.integer({ min: -3_000_000, max: 3_000_000 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("refuse" as const), ms: fc.integer({ min: 1, max: 60_000 }) }) },
  );
  const check = async (steps: readonly { kind: "pass" | "restart" | "jump" | "refuse"; ms: number }[]): Promise<void> => {
    await host.close();
    host = await Host.started();
    await host.register(periodic());
    const registered = nowSeconds();
    let latest = registered;
    let gaps = 0;
    for (const { kind, ms } of steps) {
      if (kind === "restart") await host.restart(async () => host.clock.advance(ms));
      if (kind === "jump") host.clock.shiftWall(ms);
      if (kind === "refuse") host.store.failWrites();
      if (kind !== "jump" && kind !== "restart") {
        // As the timers of a host that is awake do, in steps.
        for (let left = ms; left > 0; left -= 10_000) await host.pass(Math.min(left, 10_000));
      }
      if (kind === "refuse") {
        host.store.heal();
        for (let i = 0; i < 12; i++) await host.pass(1_000);
      }
      await host.pass(15_000);
      await host.pass(1_100);
      // Some minutes may have gone by unseen: of those one is made up for.
      if (kind !== "pass") gaps++;
      latest = Math.max(latest, nowSeconds());
    }
    const seen = launches();
    expect(new Set(seen).size).toBe(seen.length);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    const due = Math.floor(latest / 60) - Math.floor(registered / 60);
    expect(seen.length).toBeLessThanOrEqual(due);
    if (gaps === 0) expect(seen.length).toBe(due);
    const record = host.store.periodicLaunch("default", "job") ?? 0;
    expect(Math.floor(latest / 60) - Math.floor(record / 60)).toBeLessThanOrEqual(0);
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), check), { numRuns: 30 });
}, 60_000);

test("of many times that went by while no agent ran, one is made up for", async () => {
  await host.register(periodic());
  await minutes(1);
  await host.restart(async () => host.clock.advance(30 * MINUTE));
  expect(children()).toHaveLength(2);
  await minutes(1);
  expect(children()).toHaveLength(3);
});

test("a forced launch is one more, and takes no time's name that is still to come", async () => {
  await host.register(periodic());
  const first = await host.jobs.forcePeriodic("default", "job");
  await host.jobs.forcePeriodic("default", "job");
  await host.settle();
  expect(first.EvalID).not.toBe("");
  expect(children()).toHaveLength(2);
  for (const at of launches()) expect(at).toBeLessThanOrEqual(nowSeconds());
  await minutes(1);
  expect(children()).toHaveLength(3);
});

test("other times count from when they are given", async () => {
  await host.register(periodic({ Spec: "0 0 1 1 *" }));
  await minutes(5);
  await host.register(periodic());
  expect(children()).toEqual([]);
  await minutes(1);
  expect(children()).toHaveLength(1);
});

test("a clock that was a year ahead keeps no job from running", async () => {
  await host.register(periodic());
  const year = 365 * 24 * 60 * MINUTE;
  host.clock.shiftWall(year);
  await minutes(1);
  expect(children().length).toBeGreaterThanOrEqual(1);
  const before = children().length;
  host.clock.shiftWall(-year);
  await minutes(4);
  expect(children().length).toBeGreaterThanOrEqual(before + 2);
});

test("forcing what is no periodic job is refused", async () => {
  await expect(host.jobs.forcePeriodic("default", "nope")).rejects.toThrow("job not found");
  await host.register(aBatch());
  await expect(host.jobs.forcePeriodic("default", "job")).rejects.toThrow("can't force launch non-periodic job");
});
