import { defaultSchedulerConfig } from "../../agent/model/scheduler-config.js";
import { type Fixture, startApi } from "../testing/fixture.js";
import { aDeployment, aJob, aNode, jobInput, UNKNOWN_ID } from "../testing/objects.js";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startApi();
});
afterEach(() => fixture.close());

const send = (path: string, body?: unknown, method = "PUT") => fixture.http.send(method, path, body);
const at = (name: string) => `/v1/deployment/${name}/${UNKNOWN_ID}`;
const onNode = (name: string) => `/v1/node/${aNode.ID}/${name}`;

test.each<[string, unknown, readonly unknown[]]>([
  ["/v1/job/web/evaluate", undefined, ["evaluate", { namespace: "default", id: "web" }, { forceReschedule: false }]],
  [
    "/v1/job/web/evaluate?namespace=x",
    { EvalOptions: { ForceReschedule: true } },
    ["evaluate", { namespace: "x", id: "web" }, { forceReschedule: true }],
  ],
  [
    "/v1/job/web/scale",
    { Count: 3, Target: { Group: "g", Job: "web" }, Message: "why", Meta: { a: 1 } },
    ["scale", { namespace: "default", id: "web" }, { group: "g", count: 3, message: "why", isError: false, meta: { a: 1 } }],
  ],
  [
    "/v1/job/web/scale",
    { Error: true, Target: { Group: "g" } },
    ["scale", { namespace: "default", id: "web" }, { group: "g", count: null, message: "", isError: true, meta: null }],
  ],
  [at("promote"), { All: true }, ["promote", UNKNOWN_ID]],
  [at("promote"), { DeploymentID: UNKNOWN_ID, Groups: ["g"] }, ["promote", UNKNOWN_ID, ["g"]]],
  [at("fail"), undefined, ["fail", UNKNOWN_ID]],
  [at("pause"), { Pause: true }, ["pause", UNKNOWN_ID, true]],
  [at("allocation-health"), { HealthyAllocationIDs: [UNKNOWN_ID] }, ["setHealth", UNKNOWN_ID, [UNKNOWN_ID], []]],
  [onNode("eligibility"), { Eligibility: "ineligible" }, ["setEligibility", aNode.ID, false]],
  [onNode("evaluate"), undefined, ["evaluateNode", aNode.ID]],
  [
    onNode("drain"),
    { DrainSpec: { Deadline: 5, IgnoreSystemJobs: true }, Meta: { why: "x" } },
    ["drain", aNode.ID, { deadline: 5, ignoreSystemJobs: true }, { markEligible: false, meta: { why: "x" } }],
  ],
  [
    onNode("drain"),
    { DrainSpec: { Deadline: -7 } },
    ["drain", aNode.ID, { deadline: -1, ignoreSystemJobs: false }, { markEligible: false, meta: null }],
  ],
  [onNode("drain"), { DrainSpec: null, MarkEligible: true }, ["drain", aNode.ID, null, { markEligible: true, meta: null }]],
  [
    "/v1/operator/scheduler/configuration?cas=4",
    { PreemptionConfig: { BatchSchedulerEnabled: true } },
    [
      "configure",
      { ...defaultSchedulerConfig, PreemptionConfig: { ...defaultSchedulerConfig.PreemptionConfig, BatchSchedulerEnabled: true } },
      4,
    ],
  ],
])("%s with %j is handed on, by PUT and by POST", async (path, body, call) => {
  for (const method of ["PUT", "POST"])
    expect(await send(path, body, method)).toMatchObject({ status: 200, json: { Index: expect.any(Number) } });
  expect(fixture.calls).toEqual([call, call]);
});

test.each<[string, unknown, string]>([
  ["/v1/job/web/plan", undefined, "Request body is empty"],
  ["/v1/job/web/plan", {}, "Job: got nothing, want a job"],
  ["/v1/job/web/plan", { Job: jobInput("other") }, 'Job.ID: got "other", want the path\'s "web"'],
  ["/v1/job/web/scale", { Count: 3 }, "Target.Group: got nothing"],
  ["/v1/job/web/scale", { Count: -1, Target: { Group: "g" } }, "Count: got -1"],
  ["/v1/job/web/scale", { Count: 1, Target: { Group: "g", Job: "x" } }, 'Target.Job: got "x"'],
  ["/v1/job/web/evaluate", { EvalOptions: { ForceReschedule: 1 } }, "EvalOptions.ForceReschedule: got 1"],
  [at("promote"), {}, "Groups: got nothing, want names of groups, or All"],
  [at("fail"), { DeploymentID: "x" }, 'DeploymentID: got "x"'],
  [at("allocation-health"), { HealthyAllocationIDs: ["x"] }, "UUID"],
  [onNode("eligibility"), {}, "Eligibility: got nothing, want eligible or ineligible"],
  [onNode("eligibility"), { Eligibility: "maybe" }, 'Eligibility: got "maybe"'],
  [onNode("drain"), { DrainSpec: { Deadline: "1h" } }, 'DrainSpec.Deadline: got "1h"'],
  ["/v1/operator/scheduler/configuration", { SchedulerAlgorithm: "random" }, 'SchedulerAlgorithm: got "random"'],
  ["/v1/operator/scheduler/configuration", { PauseEvalBroker: true }, "PauseEvalBroker: got true"],
  ["/v1/operator/scheduler/configuration?cas=x", {}, 'cas: got "x"'],
])("%s with %j is refused by name, and nobody is asked", async (path, body, message) => {
  const response = await send(path, body);
  expect(response.status).toBe(400);
  expect(response.text).toContain(message);
  expect(fixture.calls).toEqual([]);
});

test("a plan is asked for with the whole job", async () => {
  const response = await send("/v1/job/web/plan", { Job: jobInput("web"), Diff: true });
  expect(response.json).toEqual({
    Annotations: null,
    CreatedEvals: null,
    Diff: null,
    FailedTGAllocs: null,
    Index: 3,
    JobModifyIndex: 3,
    NextPeriodicLaunch: null,
    Warnings: "",
  });
  expect(fixture.calls).toEqual([["plan", expect.objectContaining({ ID: "web" }), { diff: true }]]);
});

test("how a job is scaled is told by group, with what was done to it", async () => {
  const event = { Time: 5n, Count: 2, PreviousCount: 1, Message: "m", Error: false, Meta: null, EvalID: "", CreateIndex: 0 };
  await fixture.commit({ kind: "job", job: aJob("web"), spec: true });
  await fixture.commit({
    kind: "scaling-events",
    namespace: "default",
    id: "web",
    events: { [aJob("web").TaskGroups[0]?.Name ?? ""]: [event] },
  });
  const { json } = await send("/v1/job/web/scale", undefined, "GET");
  expect(json).toMatchObject({ JobID: "web", JobStopped: false, Namespace: "default" });
  const [group] = Object.values((json as { TaskGroups: Record<string, object> }).TaskGroups);
  expect(group).toMatchObject({ Placed: 0, Running: 0, Events: [{ Count: 2, Message: "m", EvalID: null }] });
  expect((await send("/v1/job/nope/scale", undefined, "GET")).status).toBe(404);
});

test("the allocations of an unknown deployment are not found, those of a known one are its own", async () => {
  expect(await send(`/v1/deployment/allocations/${UNKNOWN_ID}`, undefined, "GET")).toMatchObject({
    status: 404,
    text: "deployment not found",
  });
  const deployment = aDeployment(aJob("web"));
  await fixture.commit({ kind: "deployment", deployment });
  expect((await send(`/v1/deployment/allocations/${deployment.ID}`, undefined, "GET")).json).toEqual([]);
});

test("the scheduler's configuration is the default until somebody sets it", async () => {
  const read = async () => (await send("/v1/operator/scheduler/configuration", undefined, "GET")).json as { SchedulerConfig: object };
  expect((await read()).SchedulerConfig).toEqual(defaultSchedulerConfig);
  const index = await fixture.commit({ kind: "scheduler-config", config: { ...defaultSchedulerConfig, RejectJobRegistration: true } });
  expect((await read()).SchedulerConfig).toMatchObject({ RejectJobRegistration: true, CreateIndex: index, ModifyIndex: index });
});
