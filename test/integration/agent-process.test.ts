import { isAlive } from "../support/host.js";
import { job, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const pidOf = async (logs: () => Promise<string>): Promise<number> =>
  waitFor("the task to say its process id", async () => Number(/^pid (\d+)$/m.exec(await logs())?.[1]));

const talker = job("talker", [shell("t", "echo pid $$; exec sleep 1000")]);

scenario("SIGTERM ends the agent and leaves its tasks; the next agent has them as they were", async (start) => {
  const agent = await start();
  const alloc = await agent.run(talker);
  const logs = async (): Promise<string> => (await agent.get(`/v1/client/fs/logs/${alloc.ID}?task=t&type=stdout&plain=true`)).text;
  const pid = await pidOf(logs);
  expect(await agent.stop()).toBe(0);
  expect(isAlive(pid)).toBe(true);

  await agent.start();
  const again = await agent.read(`/v1/allocation/${alloc.ID}`);
  expect(again.ClientStatus).toBe("running");
  expect(again.TaskStates.t).toEqual(alloc.TaskStates.t);
  expect(isAlive(pid)).toBe(true);

  await agent.delete("/v1/job/talker");
  await agent.untilAlloc(alloc.ID, "to be complete", (a) => a.ClientStatus === "complete");
  expect(isAlive(pid)).toBe(false);
});

scenario("the index goes on where it was, so that no poller waits for ever", async (start) => {
  const agent = await start();
  await agent.run(talker);
  const before = Number((await agent.get("/v1/allocations")).headers["x-nomad-index"]);
  await agent.kill();
  await agent.start();
  expect(Number((await agent.get("/v1/allocations")).headers["x-nomad-index"])).toBeGreaterThanOrEqual(before);
});

scenario("an idle agent that is ended and started five times leaves one shim at most", async (start) => {
  const agent = await start();
  for (let i = 0; i < 5; i++) {
    expect(await agent.stop()).toBe(0);
    await agent.start();
  }
  expect((await agent.get("/v1/agent/health")).status).toBe(200);
});
