import { readFileSync, writeFileSync } from "node:fs";
import { container, dockerScenario, logOf, type TestEngine } from "../support/engine.js";
import { job, SECOND } from "../support/jobs.js";
import { waitFor } from "../support/wait.js";

const counting = "n=0; until [ -e /alloc/end ]; do n=$((n+1)); echo $n; [ $((n % 5)) != 0 ] || sleep 0.02; done; echo $n > /alloc/count";
const restarts = { RestartPolicy: { Attempts: 5, Interval: 600 * SECOND, Delay: SECOND / 10, Mode: "fail" } };
const types = (alloc: { TaskStates: { t: { Events: { Type: string }[] } } }): readonly string[] =>
  alloc.TaskStates.t.Events.map(({ Type }) => Type);

dockerScenario(
  "an engine that keeps containers alive is killed and started again: the task is the same one, and its output whole",
  async (start, engine) => {
    const agent = await start();
    const { ID } = await agent.run(job("live", [container("t", counting)], {}, restarts));
    const { Id, State } = engine.inspect(`t-${ID}`);
    const lines = (): number => logOf(agent, ID).split("\n").length;
    for (let round = 0; round < 2; round++) {
      const before = lines();
      await waitFor("it to go on", () => lines() > before + 50);
      engine.kill();
      if (round === 1) await agent.kill();
      engine.start();
      if (round === 1) await agent.start();
    }
    const before = lines();
    await waitFor("it to go on", () => lines() > before + 50, 30_000);
    expect(engine.inspect(`t-${ID}`)).toMatchObject({ Id, State: { Pid: State.Pid } });
    writeFileSync(`${agent.dataDir}/alloc/${ID}/alloc/end`, "");
    const after = await agent.untilAlloc(ID, "to have restarted", (a) => a.TaskStates.t.Restarts === 1);
    expect(types(after).slice(0, 4)).toEqual(["Received", "Task Setup", "Started", "Terminated"]);
    const count = Number(readFileSync(`${agent.dataDir}/alloc/${ID}/alloc/count`, "utf8"));
    const first = logOf(agent, ID).split("\n").slice(0, count).map(Number);
    expect(first).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  },
  { own: ["--live-restore"], seconds: 150 },
);

dockerScenario(
  "an engine that takes its containers with it: each is told to have ended, and started again, once",
  async (start, engine) => {
    const agent = await start();
    const { ID } = await agent.run(job("gone", [container("t", "echo up; exec sleep 1000")], {}, restarts));
    await waitFor("it to be up", () => logOf(agent, ID) === "up\n");
    engine.kill();
    await agent.register(job("meanwhile", [container("t", "exec sleep 1000")]));
    engine.start();
    const after = await agent.untilAlloc(ID, "to run again", (a) => a.TaskStates.t.Restarts === 1 && a.ClientStatus === "running", 60_000);
    expect(types(after)).toEqual(["Received", "Task Setup", "Started", "Terminated", "Restarting", "Started"]);
    const [patient] = await agent.untilAllocs("meanwhile", "to run", (all) => all[0]?.ClientStatus === "running");
    expect(types(patient)).toEqual(["Received", "Task Setup", "Started"]);
    expect([...runningContainers(engine)].sort()).toEqual([`t-${ID}`, `t-${patient.ID}`].sort());
    expect(logOf(agent, ID)).toMatch(/^(up\n){1,2}$/);
  },
  { own: [], seconds: 150 },
);

dockerScenario(
  "an agent that starts while the engine is down takes its containers up once it is back, and starts none twice",
  async (start, engine) => {
    const agent = await start();
    const { ID } = await agent.run(job("down", [container("t", "exec sleep 1000")], {}, restarts));
    const { Id } = engine.inspect(`t-${ID}`);
    engine.kill();
    await agent.kill();
    await agent.start();
    const [node] = await agent.read("/v1/nodes");
    expect(node.Drivers.docker).toMatchObject({ Healthy: false, Detected: false });
    expect((await agent.read(`/v1/allocation/${ID}`)).ClientStatus).toBe("running");
    engine.start();
    const restarted = await waitFor(
      "a restart to be possible",
      async () => (await agent.post(`/v1/client/allocation/${ID}/signal`, { Signal: "SIGCONT" })).status === 200,
      60_000,
    );
    expect(restarted).toBe(true);
    expect(engine.inspect(`t-${ID}`).Id).toBe(Id);
    await waitFor("the node to say so", async () => (await agent.read("/v1/nodes"))[0].Drivers.docker.Healthy, 40_000);
  },
  { own: ["--live-restore"], seconds: 150 },
);

dockerScenario("a container that vanished while the agent was away is told to be gone, and started again", async (start, engine) => {
  const agent = await start();
  const { ID } = await agent.run(job("vanish", [container("t", "exec sleep 1000")], {}, restarts));
  await agent.kill();
  engine.docker("rm", "--force", `t-${ID}`);
  await agent.start();
  const after = await agent.untilAlloc(ID, "to run again", (a) => a.TaskStates.t.Restarts === 1 && a.ClientStatus === "running");
  const end = after.TaskStates.t.Events.find((event: { Type: string }) => event.Type === "Terminated");
  expect(end.DisplayMessage).toContain("the container is gone");
});

const runningContainers = (engine: TestEngine): readonly string[] =>
  engine.docker("ps", "--format", "{{.Names}}").split("\n").filter(Boolean);
