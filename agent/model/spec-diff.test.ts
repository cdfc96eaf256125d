import fc from "fast-check";
import { aGroup, aJob, aNetwork, aPort, aTask } from "../jobs/testing/fixtures.js";
import type { Job } from "./job.js";
import { sameSpec } from "./job-diff.js";
import { diffJobs } from "./spec-diff.js";
import { annotateDiff } from "./spec-diff-annotate.js";

const group = (after: Job, before: Job = aJob()) => diffJobs(before, after).TaskGroups?.[0];
const task = (after: Job, before: Job = aJob()) => group(after, before)?.Tasks?.[0];

test("plain members are fields, maps are fields by key, lists of texts are sets", () => {
  const diff = diffJobs(aJob({ Meta: { a: "1", b: "2" } }), aJob({ Priority: 70, Meta: { b: "3", c: "4" }, Datacenters: ["dc1", "dc2"] }));
  expect(diff.Type).toBe("Edited");
  expect(diff.Fields?.map(({ Name, Old, New, Type }) => [Name, Old, New, Type])).toEqual([
    ["Meta[a]", "1", "", "Deleted"],
    ["Meta[b]", "2", "3", "Edited"],
    ["Meta[c]", "", "4", "Added"],
    ["Priority", "50", "70", "Edited"],
  ]);
  expect(diff.Objects).toMatchObject([
    {
      Name: "Datacenters",
      Type: "Edited",
      Fields: [
        { New: "dc1", Type: "Added" },
        { New: "dc2", Type: "Added" },
        { Old: "*", Type: "Deleted" },
      ],
    },
  ]);
});

test("what the host writes is no difference", () => {
  expect(diffJobs(aJob(), aJob({ Version: 9, Status: "running", ModifyIndex: 5, Stable: true, SubmitTime: 7n })).Type).toBe("None");
});

test("objects show what is the same beside what is not, the driver's config flat", () => {
  const config = (args: string[]) => aJob({}, { Tasks: [aTask({ Config: { command: "x", args } })] });
  expect(task(config(["a", "c"]), config(["a", "b"]))?.Objects).toEqual([
    {
      Name: "Config",
      Type: "Edited",
      Objects: null,
      Fields: [
        { Annotations: null, Name: "args[0]", Old: "a", New: "a", Type: "None" },
        { Annotations: null, Name: "args[1]", Old: "b", New: "c", Type: "Edited" },
        { Annotations: null, Name: "command", Old: "x", New: "x", Type: "None" },
      ],
    },
  ]);
});

test("elements of lists are known by their name, else they go and come", () => {
  const net = (value: number, label = "http") => aJob({}, { Networks: [aNetwork({ ReservedPorts: [aPort(label, value)] })] });
  expect(group(net(81), net(80))?.Objects).toMatchObject([
    { Name: "Network", Type: "Deleted" },
    { Name: "Network", Type: "Added" },
  ]);
  const constrained = (RTarget: string) => aJob({}, { Constraints: [{ LTarget: "a", RTarget, Operand: "=" }] });
  expect(group(constrained("y"), constrained("x"))?.Objects?.map(({ Name, Type }) => [Name, Type])).toEqual([
    ["Constraint", "Deleted"],
    ["Constraint", "Added"],
  ]);
});

test("groups and tasks come and go by name", () => {
  const two = aJob({ TaskGroups: [aGroup({ Name: "b" }), aGroup({ Name: "a", Tasks: [aTask({ Name: "z" })] })] });
  expect(diffJobs(two, aJob()).TaskGroups?.map(({ Name, Type }) => [Name, Type])).toEqual([
    ["a", "Deleted"],
    ["b", "Deleted"],
    ["g", "Added"],
  ]);
  const annotated = annotateDiff(diffJobs(two, aJob()), {});
  expect(annotated.TaskGroups?.map((g) => g.Tasks?.[0]?.Annotations)).toEqual([["forces destroy"], ["forces destroy"], ["forces create"]]);
});

test.each([
  [aJob({}, { Tasks: [aTask({ KillTimeout: 9 })] }), "forces in-place update"],
  [aJob({}, { Tasks: [aTask({ Constraints: [{ LTarget: "a", RTarget: "b", Operand: "=" }] })] }), "forces in-place update"],
  [aJob({}, { Tasks: [aTask({ User: "x" })] }), "forces create/destroy update"],
  [aJob({}, { Tasks: [aTask({ Resources: { ...aTask().Resources, CPU: 7 } })] }), "forces create/destroy update"],
])("a task's change says what it leads to", (after, want) => {
  expect(annotateDiff(diffJobs(aJob(), after), {}).TaskGroups?.[0]?.Tasks?.[0]?.Annotations).toEqual([want]);
});

test("there is a difference exactly when the two do not ask for the same", () => {
  const jobs = fc
    .record({
      count: fc.nat(2),
      cpu: fc.nat(2),
      env: fc.option(fc.constantFrom("a", "b"), { nil: null }),
      stop: fc.boolean(),
      version: fc.nat(3),
    })
    .map(({ count, cpu, env, stop, version }) =>
      aJob(
        { Stop: stop, Version: version },
        { Count: count, Tasks: [aTask({ Env: env === null ? null : { E: env }, Resources: { ...aTask().Resources, CPU: cpu } })] },
      ),
    );
  fc.assert(fc.property(jobs, jobs, (a, b) => expect(diffJobs(a, b).Type === "None").toBe(sameSpec(a, b))));
});
