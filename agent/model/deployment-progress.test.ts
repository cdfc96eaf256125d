import { aBatch, aJob, anAlloc, anUpdate, aPolicy } from "../jobs/testing/fixtures.js";
import type { Allocation } from "./allocation.js";
import type { Deployment } from "./deployment.js";
import { advanceDeployment, cancelDeployment, progressDeadline, startDeployment } from "./deployment-progress.js";
import type { TaskGroup } from "./job.js";
import { MINUTE } from "./units.js";

const NOW = 1_795_447_331_000_000_000n;
const TEN_MINUTES = BigInt(10 * MINUTE);

const job = (group: Partial<TaskGroup> = {}) =>
  aJob({ Version: 3, CreateIndex: 5, ModifyIndex: 9, JobModifyIndex: 8 }, { Count: 2, ...group });
const started = (group: Partial<TaskGroup> = {}): Deployment => startDeployment(job(group), "d", NOW) as Deployment;
const member = (Healthy: boolean | null, change: Partial<Allocation> = {}): Allocation =>
  anAlloc(job(), { DeploymentID: "d", DeploymentStatus: { Healthy, Timestamp: NOW + 5n, Canary: false, ModifyIndex: 1 }, ...change });

const advance = (members: readonly Allocation[], { group = {}, unfinished = false, now = NOW + 10n } = {}): Deployment =>
  advanceDeployment(started(group), { job: job(group), members, placed: new Map(), unfinished, now });

test("a deployment is of one version of a service, and only of one that is updated step by step", () => {
  expect(started()).toMatchObject({
    JobVersion: 3,
    JobCreateIndex: 5,
    JobModifyIndex: 9,
    JobSpecModifyIndex: 8,
    Status: "running",
    TaskGroups: { g: { DesiredTotal: 2, PlacedAllocs: 0, RequireProgressBy: NOW + TEN_MINUTES } },
  });
  for (const other of [aBatch(), job({ Update: null }), job({ Update: anUpdate({ MaxParallel: 0 }) })])
    expect(startDeployment(other, "d", NOW)).toBeNull();
});

test.each<[string, readonly Allocation[], object, Deployment["Status"]]>([
  ["all are healthy", [member(true), member(true)], {}, "successful"],
  ["all are healthy but some are still to be updated", [member(true), member(true)], { unfinished: true }, "running"],
  ["one is undecided", [member(true), member(null)], {}, "running"],
  ["a healthy one was stopped since", [member(true), member(true, { DesiredStatus: "stop" })], {}, "running"],
  ["a healthy one has failed since", [member(true), member(true, { ClientStatus: "failed" })], {}, "running"],
  ["one is unhealthy and may become healthy in time", [member(true), member(false)], {}, "running"],
  ["one has failed and is tried again", [member(false, { ClientStatus: "failed" })], { group: { ReschedulePolicy: aPolicy() } }, "running"],
  ["one has failed for good", [member(true), member(false, { ClientStatus: "failed" })], {}, "failed"],
  [
    "one is unhealthy and there is no time to wait for",
    [member(false)],
    { group: { Update: anUpdate({ ProgressDeadline: 0 }) } },
    "failed",
  ],
  ["nothing became healthy in time", [member(null)], { now: NOW + TEN_MINUTES }, "failed"],
])("when %s", (_name, members, view, want) => {
  expect(advance(members, view).Status).toBe(want);
});

test("each that becomes healthy gives the others time again", () => {
  const deployment = advance([member(true)]);
  expect(deployment.TaskGroups.g).toMatchObject({ HealthyAllocs: 1, PlacedAllocs: 1, RequireProgressBy: NOW + 5n + TEN_MINUTES });
  expect(progressDeadline(deployment)).toBe(NOW + 5n + TEN_MINUTES);
});

test("without news it is the same object, and after its end it stays as it is", () => {
  const deployment = advance([member(true)]);
  const view = { job: job(), members: [member(true)], placed: new Map<string, number>(), unfinished: false, now: NOW + 20n };
  expect(advanceDeployment(deployment, view)).toBe(deployment);
  const cancelled = cancelDeployment(deployment, false, NOW);
  expect(advanceDeployment(cancelled, { ...view, members: [] })).toBe(cancelled);
  expect(progressDeadline(cancelled)).toBeNull();
});
