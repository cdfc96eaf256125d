import { aGroup, aJob, anUpdate, aPolicy, aTask } from "../jobs/testing/fixtures.js";
import type { Job } from "./job.js";
import { sameSpec, updatesInPlace } from "./job-diff.js";
import { sameJson } from "./same-json.js";

const base = aJob();

test("what the host wrote is no part of the spec", () => {
  const stamped = aJob({
    Version: 7,
    CreateIndex: 4,
    ModifyIndex: 9,
    JobModifyIndex: 8,
    SubmitTime: 5n,
    Status: "running",
    Stable: true,
    StatusDescription: "x",
  });
  expect(sameSpec(base, stamped)).toBe(true);
  expect(sameSpec(base, aJob({ Stop: true }))).toBe(false);
});

test.each<[string, Job, boolean]>([
  ["count", aJob({}, { Count: 9 }), true],
  ["update strategy", aJob({}, { Update: anUpdate({ MaxParallel: 5 }) }), true],
  ["reschedule policy", aJob({}, { ReschedulePolicy: aPolicy() }), true],
  ["the group's services, which follow without a restart", aJob({}, { Services: [] }), true],
  ["priority", aJob({ Priority: 80 }), true],
  ["another group", aJob({ TaskGroups: [aGroup(), aGroup({ Name: "h" })] }), true],
  ["a task's environment", aJob({}, { Tasks: [aTask({ Env: { A: "1" } })] }), false],
  ["a task's config", aJob({}, { Tasks: [aTask({ Config: { command: "x" } })] }), false],
  ["a task's resources", aJob({}, { Tasks: [aTask({ Resources: { ...aTask().Resources, CPU: 7 } })] }), false],
  ["one more task", aJob({}, { Tasks: [aTask(), aTask({ Name: "u" })] }), false],
  ["the job's meta, which tasks see", aJob({ Meta: { a: "1" } }), false],
  ["the group's name", aJob({}, { Name: "other" }), false],
])("a change of %s: in place %s", (_name, next, want) => {
  expect(sameSpec(base, next)).toBe(false);
  expect(updatesInPlace(base, next, "g")).toBe(want);
});

test.each([
  [{ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, true],
  [{ a: 9n }, { a: 9 }, true],
  [{ a: null }, {}, false],
  [[1, 2], [2, 1], false],
  [{ 0: 1 }, [1], false],
  ["1", 1, false],
])("%p and %p say the same: %p", (a, b, want) => {
  expect(sameJson(a, b)).toBe(want);
});
