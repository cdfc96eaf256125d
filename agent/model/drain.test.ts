import { aBatch, aJob, anAlloc } from "../jobs/testing/fixtures.js";
import type { Allocation } from "./allocation.js";
import { drained, drainStep } from "./drain.js";
import type { DrainStrategy } from "./node.js";

const NOW = 1_000n;
const strategy = (change: Partial<DrainStrategy> = {}): DrainStrategy => ({
  Deadline: 50,
  IgnoreSystemJobs: false,
  ForceDeadline: NOW + 50n,
  StartedAt: NOW,
  ...change,
});
const migrate = { MaxParallel: 2, HealthCheck: "checks", MinHealthyTime: 0, HealthyDeadline: 0 } as const;
const service = (change: Partial<Allocation> = {}) => anAlloc(aJob({}, { Migrate: migrate }), change);
const batch = () => anAlloc(aBatch());
const system = () => anAlloc(aJob({ ID: "sys", Type: "system" }));
const leaving = { DesiredTransition: { ...anAlloc(aJob()).DesiredTransition, Migrate: true } };

test("services leave as many at a time as their migrate block says, and those under way count", () => {
  const all = [service(), service(), service()];
  expect(drainStep(strategy(), all, NOW)).toEqual({ next: all.slice(0, 2), isDone: false });
  expect(drainStep(strategy(), [service(leaving), ...all], NOW).next).toEqual([all[0]]);
  expect(drainStep(strategy(), [service(leaving), service({ DesiredStatus: "stop" }), ...all], NOW).next).toEqual([]);
});

test("batch jobs may finish until the deadline, system jobs stay until all others are gone", () => {
  const [b, s] = [batch(), system()];
  expect(drainStep(strategy(), [b, s], NOW).next).toEqual([]);
  expect(drainStep(strategy(), [b, s], NOW + 50n).next).toEqual([b, s]);
  expect(drainStep(strategy(), [s], NOW).next).toEqual([s]);
  expect(drainStep(strategy({ ForceDeadline: null, Deadline: 0 }), [b], NOW + 99n).next).toEqual([]);
  expect(drainStep(strategy({ ForceDeadline: null, Deadline: -1 }), [b, s], NOW).next).toEqual([b, s]);
});

test("system jobs that are ignored neither leave nor keep the drain from its end", () => {
  const ignoring = strategy({ IgnoreSystemJobs: true });
  expect(drainStep(ignoring, [system(), service({ ClientStatus: "complete" })], NOW)).toEqual({ next: [], isDone: true });
  expect(drainStep(ignoring, [system(), service(leaving)], NOW)).toEqual({ next: [], isDone: false });
});

test("a batch allocation is to run again elsewhere", () => {
  expect(drained(batch())).toMatchObject({ Migrate: true, Reschedule: true });
  expect(drained(service())).toMatchObject({ Migrate: true, Reschedule: null });
});
