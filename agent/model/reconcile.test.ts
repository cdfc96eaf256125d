import fc from "fast-check";
import { aGroup, aJob, anAlloc, anUpdate, aPolicy, aTask, NO_RESCHEDULE } from "../jobs/testing/fixtures.js";
import type { Allocation, ClientStatus, DesiredStatus, DesiredTransition } from "./allocation.js";
import type { Decision } from "./decision.js";
import type { Job } from "./job.js";
import { allocName, lowestFree, nameIndex } from "./names.js";
import { reconcile } from "./reconcile.js";

const NOW = 1_795_447_331_000_000_000n;

const decide = (job: Job | undefined, allocs: readonly Allocation[], now = NOW): Decision =>
  reconcile({ job, allocs, deployment: undefined, now });
const names = (decision: Decision): string[] => decision.place.map((p) => p.name);
const isNothing = (d: Decision): boolean => d.place.length + d.stop.length + d.inPlace.length + d.later.length === 0;

/** What is there once a decision is carried out. */
function applied(job: Job | undefined, allocs: readonly Allocation[], decision: Decision): Allocation[] {
  const stopped = new Map(decision.stop.map(({ alloc, description }) => [alloc.ID, description]));
  const next = new Map<string, string>();
  const fresh = decision.place.map((p) => {
    const alloc = anAlloc(job as Job, {
      Name: p.name,
      TaskGroup: p.group.Name,
      ClientStatus: "pending",
      PreviousAllocation: p.previous?.ID ?? "",
      RescheduleTracker: p.tracker,
    });
    if (p.previous) next.set(p.previous.ID, alloc.ID);
    if (p.previous && p.stopPrevious !== null) stopped.set(p.previous.ID, p.stopPrevious);
    return alloc;
  });
  const inPlace = new Set(decision.inPlace);
  const later = new Set(decision.later.map(({ alloc }) => alloc));
  return [
    ...allocs.map((a) => ({
      ...a,
      ...(stopped.has(a.ID) && { DesiredStatus: "stop" as const, DesiredDescription: stopped.get(a.ID) ?? "" }),
      ...(next.has(a.ID) && { NextAllocation: next.get(a.ID) ?? "" }),
      ...(inPlace.has(a) && job && { Job: job }),
      ...(later.has(a) && { FollowupEvalID: "followup" }),
    })),
    ...fresh,
  ];
}

const versioned = (Version: number, change: Partial<Job> = {}, group = {}): Job =>
  aJob({ Version, CreateIndex: 5, ...change }, { Tasks: [aTask({ Env: { V: String(Version % 2) } })], ...group });

const transition = (change: Partial<DesiredTransition>): DesiredTransition => ({ ...anAlloc(aJob()).DesiredTransition, ...change });

describe("names", () => {
  test("are read back, and the lowest free ones are taken", () => {
    expect(nameIndex(allocName("a[7]", "g", 12))).toBe(12);
    expect(nameIndex("no index")).toBe(-1);
    expect(lowestFree(new Set([0, 2, 3]), 3)).toEqual([1, 4, 5]);
  });
});

describe("counts", () => {
  const job = aJob({}, { Count: 3 });
  const indexed = (...indexes: number[]) => indexes.map((i) => anAlloc(job, { Name: allocName("job", "g", i) }));

  test("the gaps are filled first", () => {
    expect(names(decide(job, indexed(1)))).toEqual(["job.g[0]", "job.g[2]"]);
  });

  test("the highest go first", () => {
    const decision = decide(job, indexed(4, 0, 9, 2, 1));
    expect(decision.stop.map(({ alloc, description }) => [alloc.Name, description])).toEqual([
      ["job.g[4]", "alloc not needed due to job update"],
      ["job.g[9]", "alloc not needed due to job update"],
    ]);
  });

  test("a group that is gone is stopped, one that a control plane handed in is left alone", () => {
    const other = anAlloc(job, { TaskGroup: "old", Name: "job.old[0]" });
    const foreign = anAlloc(job, { TaskGroup: "old", Name: "job.old[1]", Ingested: true });
    expect(decide(job, [...indexed(0, 1, 2), other, foreign]).stop.map(({ alloc }) => alloc)).toEqual([other]);
  });

  test("a stopped or purged job keeps nothing, and what has ended is not touched", () => {
    const allocs = [...indexed(0), anAlloc(job, { ClientStatus: "failed" }), anAlloc(job, { ClientStatus: "complete" })];
    for (const gone of [{ ...job, Stop: true }, undefined])
      expect(decide(gone, allocs).stop.map(({ alloc }) => alloc)).toEqual([allocs[0]]);
  });

  test("allocations of an earlier job of the same name count for nothing", () => {
    const old = anAlloc(aJob({ CreateIndex: 1, Type: "batch" }), { ClientStatus: "complete" });
    expect(names(decide(aJob({ CreateIndex: 9, Type: "batch" }), [old]))).toEqual(["job.g[0]"]);
  });
});

describe("an allocation that has ended", () => {
  test.each<[Job["Type"], ClientStatus, number, number]>([
    ["service", "complete", 1, 1],
    ["batch", "complete", 1, 0],
    ["batch", "complete", 0, 1],
    ["service", "lost", 1, 1],
    ["batch", "lost", 1, 1],
    ["service", "failed", 1, 0],
    ["batch", "failed", 1, 0],
    ["batch", "failed", 0, 1],
    ["system", "failed", 1, 0],
  ])("%s, %s, version %d of 1: %d placed", (Type, ClientStatus, version, placed) => {
    const alloc = anAlloc(versioned(version, { Type }), { ClientStatus });
    expect(decide(versioned(1, { Type }), [alloc]).place).toHaveLength(placed);
  });

  test("and failed is forced by a transition, whatever the policy", () => {
    const alloc = anAlloc(aJob(), { ClientStatus: "failed", DesiredTransition: transition({ ForceReschedule: true }) });
    expect(decide(aJob(), [alloc]).place).toMatchObject([{ previous: alloc, name: alloc.Name }]);
  });

  test("and waits for its follow-up gets no second one", () => {
    const job = aJob({}, { ReschedulePolicy: aPolicy() });
    const alloc = anAlloc(job, { ClientStatus: "failed", ModifyTime: NOW });
    expect(decide(job, [alloc]).later).toEqual([{ alloc, at: NOW + 5_000_000_000n }]);
    const waiting = { ...alloc, FollowupEvalID: "x" };
    expect(isNothing(decide(job, [waiting]))).toBe(true);
    expect(decide(job, [waiting], NOW + 5_000_000_000n).place).toMatchObject([
      { previous: waiting, stopPrevious: "alloc was rescheduled because it failed" },
    ]);
  });
});

describe("rolling", () => {
  const update = (MaxParallel: number) => ({ Count: 5, Update: anUpdate({ MaxParallel }) });
  const old = (n = 5) => Array.from({ length: n }, (_, i) => anAlloc(versioned(0), { Name: allocName("job", "g", i) }));

  test.each([
    [1, 1],
    [3, 3],
    [9, 5],
    [0, 5],
  ])("max_parallel %d replaces %d of 5", (parallel, want) => {
    const decision = decide(versioned(1, {}, update(parallel)), old());
    expect(decision.place).toHaveLength(want);
    expect(decision.heldBack).toBe(5 - want);
    expect(decision.updates.g).toMatchObject({ DestructiveUpdate: want, Ignore: 5 - want });
  });

  test("those that have failed are replaced first, and beyond the limit", () => {
    const allocs = old();
    allocs[3] = anAlloc(versioned(0), { Name: "job.g[3]", ClientStatus: "failed" });
    expect(names(decide(versioned(1, {}, update(1)), allocs))).toEqual(["job.g[3]", "job.g[0]"]);
  });
});

/** Jobs and allocations of every kind, in every state that the agent can bring about. */
const worlds = fc
  .record({
    type: fc.constantFrom<Job["Type"]>("service", "batch", "system", "sysbatch"),
    count: fc.nat(6),
    stop: fc.boolean(),
    parallel: fc.nat(3),
    policy: fc.constantFrom(NO_RESCHEDULE, aPolicy(), aPolicy({ Unlimited: true })),
    states: fc.array(
      fc.record({
        index: fc.nat(8),
        version: fc.constantFrom(0, 1, 2),
        client: fc.constantFrom<ClientStatus>("pending", "running", "running", "complete", "failed", "lost"),
        desired: fc.constantFrom<DesiredStatus>("run", "run", "run", "stop"),
        migrate: fc.boolean(),
        reschedule: fc.boolean(),
        failedAgo: fc.integer({ min: 0, max: 20 }),
      }),
      { maxLength: 8 },
    ),
  })
  .map(({ type, count, stop, parallel, policy, states }) => {
    const group = { Count: count, ReschedulePolicy: policy, Update: type === "service" ? anUpdate({ MaxParallel: parallel }) : null };
    const job = versioned(2, { Type: type, Stop: stop }, group);
    const seen = new Set<number>();
    const allocs = states.flatMap((s) => {
      // No two that are wanted have the same name.
      if (s.desired === "run" && seen.has(s.index)) return [];
      if (s.desired === "run") seen.add(s.index);
      return anAlloc(versioned(s.version, { Type: type }, group), {
        Name: allocName("job", "g", s.index),
        ClientStatus: s.client,
        DesiredStatus: s.desired,
        DesiredTransition: transition(s.migrate ? { Migrate: true, Reschedule: s.reschedule } : {}),
        ModifyTime: NOW - BigInt(s.failedAgo) * 1_000_000_000n,
      });
    });
    return { job, allocs };
  });

describe("whatever there is", () => {
  test("a decision that was carried out leaves nothing to do", () => {
    fc.assert(
      fc.property(worlds, ({ job, allocs }) => {
        const decision = decide(job, allocs);
        const after = applied(job, allocs, decision);
        // A rolling update without a deployment to look at goes on with each look; all else is done at once.
        const again = decide(job, after);
        fc.pre(decision.heldBack === 0);
        expect(isNothing(again)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("with all updates made there are exactly as many as asked for, under different names", () => {
    fc.assert(
      fc.property(worlds, ({ job, allocs }) => {
        let now = allocs;
        for (let i = 0; i < 12; i++) now = applied(job, now, decide(job, now));
        const live = now.filter((a) => a.DesiredStatus === "run" && (a.ClientStatus === "pending" || a.ClientStatus === "running"));
        const group = job.TaskGroups[0] ?? aGroup();
        const count = job.Stop ? 0 : job.Type === "system" || job.Type === "sysbatch" ? Math.min(1, group.Count) : group.Count;
        expect(live.length).toBeLessThanOrEqual(count);
        expect(new Set(live.map((a) => a.Name)).size).toBe(live.length);
        // Fewer only where one is done, has failed for good, waits for its time, or was stopped by hand.
        const excused = now.filter(
          (a) => !live.includes(a) && (a.ClientStatus === "failed" || a.ClientStatus === "complete" || a.DesiredTransition.Migrate),
        );
        expect(live.length).toBeGreaterThanOrEqual(Math.max(0, count - excused.length));
        for (const a of live) expect(a.Job.Version).toBe(2);
      }),
      { numRuns: 500 },
    );
  });

  test("what is taken away has higher indexes than what stays", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(30), { maxLength: 12 }), fc.nat(6), (indexes, count) => {
        const job = aJob({}, { Count: count });
        const allocs = indexes.map((i) => anAlloc(job, { Name: allocName("job", "g", i) }));
        const gone = new Set(decide(job, allocs).stop.map(({ alloc }) => alloc));
        const lowestGone = Math.min(...[...gone].map((a) => nameIndex(a.Name)));
        for (const a of allocs) if (!gone.has(a)) expect(nameIndex(a.Name)).toBeLessThan(lowestGone);
        expect(allocs.length - gone.size).toBe(Math.min(count, allocs.length));
      }),
    );
  });
});
