import type { TestAgent } from "../support/agent.js";
import { job, SECOND, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const update = (more: object = {}) => ({
  MaxParallel: 1,
  HealthCheck: "task_states",
  MinHealthyTime: SECOND / 10,
  HealthyDeadline: 20 * SECOND,
  ProgressDeadline: 60 * SECOND,
  ...more,
});
const web = (script: string, group: object = {}) => job("web", [shell("t", script)], {}, { Count: 2, Update: update(), ...group });

type Stub = Readonly<Record<string, unknown>>;
const running = (all: readonly Stub[], version: number): readonly Stub[] =>
  all.filter((a) => a.JobVersion === version && a.DesiredStatus === "run" && a.ClientStatus === "running");

async function deployed(agent: TestAgent, status: string): Promise<Record<string, unknown>> {
  return waitFor(
    `a deployment that is ${status}`,
    async () => {
      const { json } = await agent.get("/v1/job/web/deployment");
      const deployment = json as Record<string, unknown> | null;
      return deployment?.Status === status && deployment;
    },
    30_000,
  );
}

scenario("a canary comes beside what runs, is promoted, and the rest follows; a version that fails is taken back", async (start) => {
  const agent = await start();
  await agent.register(web("exec sleep 1000"));
  await deployed(agent, "successful");

  await agent.register(web("exec sleep 1001", { Update: update({ Canary: 1 }) }));
  await agent.untilAllocs("web", "a canary beside two old ones", (all) => running(all, 1).length === 1 && running(all, 0).length === 2);
  const { ID } = await deployed(agent, "running");
  await waitFor(
    "a canary that may be promoted",
    async () => (await agent.put(`/v1/deployment/promote/${ID}`, { All: true })).status === 200,
  );
  await agent.untilAllocs("web", "two new ones", (all) => running(all, 1).length === 2 && running(all, 0).length === 0);
  await deployed(agent, "successful");

  await agent.register(web("exit 1", { Update: update({ AutoRevert: true }) }));
  await agent.untilAllocs("web", "two of the version that came back", (all) => running(all, 3).length === 2);
  const deployments = (await agent.read("/v1/job/web/deployments")) as unknown as readonly Stub[];
  expect(deployments.find((d) => d.JobVersion === 2)).toMatchObject({
    Status: "failed",
    StatusDescription: "Failed due to unhealthy allocations - rolling back to job version 1",
  });
});

scenario("a drain goes on after kill -9, its blocked evaluation and the scaling events outlive the agent", async (start) => {
  const agent = await start();
  await agent.register(web("trap '' INT; while true; do sleep 0.1; done", { Count: 3 }));
  await agent.untilAllocs("web", "three that run", (all) => running(all, 0).length === 3);
  await deployed(agent, "successful");
  expect(await agent.post("/v1/job/web/scale", { Count: 2, Target: { Group: "g" }, Message: "fewer" })).toMatchObject({ status: 200 });
  const [node] = (await agent.read("/v1/nodes")) as unknown as readonly { readonly ID: string }[];
  const path = `/v1/node/${node?.ID ?? ""}`;
  expect(await agent.put(`${path}/drain`, { DrainSpec: { Deadline: 60 * SECOND } })).toMatchObject({ status: 200 });
  await agent.kill();
  await agent.start();
  await waitFor(
    "the end of the drain",
    async () => (await agent.read(path)).SchedulingEligibility === "ineligible" && !(await agent.read(path)).Drain,
    30_000,
  );
  expect(await agent.read(path)).toMatchObject({ LastDrain: { Status: "complete" } });
  expect(await agent.read("/v1/evaluations?status=blocked")).toMatchObject([{ JobID: "web", QueuedAllocations: { g: 2 } }]);
  expect(await agent.read("/v1/job/web/scale")).toMatchObject({
    TaskGroups: { g: { Desired: 2, Events: [{ Message: "fewer", PreviousCount: 3 }] } },
  });
  await agent.put(`${path}/eligibility`, { Eligibility: "eligible" });
  await agent.untilAllocs("web", "two again", (all) => running(all, 1).length === 2);
});
