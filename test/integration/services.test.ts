import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestAgent } from "../support/agent.js";
import { openFiles, processesAbout } from "../support/host.js";
import { job, SECOND, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

/** A web server that answers 200 while the task has a file "up", and 503 otherwise. */
const server = `
const http = require("node:http"), fs = require("node:fs");
http.createServer((q, r) => r.writeHead(fs.existsSync("local/up") ? 200 : 503).end("from " + q.url)).listen(process.env.NOMAD_PORT_http, "127.0.0.1");
`;
const web = (more = {}) => ({
  Name: "t",
  Driver: "raw_exec",
  Config: { command: process.execPath, args: ["-e", server] },
  Resources: { CPU: 5, MemoryMB: 100 },
  KillTimeout: 2 * SECOND,
  ...more,
});
const group = {
  Networks: [{ Mode: "host", DynamicPorts: [{ Label: "http" }] }],
  RestartPolicy: { Attempts: 5, Interval: 600 * SECOND, Delay: SECOND, Mode: "fail" },
};
const check = (more = {}) => ({ Name: "web", Type: "http", Path: "/health", Interval: SECOND, Timeout: SECOND, ...more });
const service = (more = {}) => ({ Name: "web-${NOMAD_TASK_NAME}", Provider: "nomad", PortLabel: "http", Tags: ["v1"], ...more });

const checksOf = async (
  agent: TestAgent,
  id: string,
): Promise<readonly { Check: string; Status: string; Output: string; StatusCode?: number }[]> =>
  Object.values((await agent.read(`/v1/client/allocation/${id}/checks`)) ?? {});
const untilCheck = (agent: TestAgent, id: string, name: string, status: string) =>
  waitFor(`check ${name} to be ${status}`, async () => (await checksOf(agent, id)).find((c) => c.Check === name && c.Status === status));
const up = (agent: TestAgent, id: string): string => join(agent.dataDir, "alloc", id, "t/local/up");

scenario(
  "a service is found while its task runs, over the death of the agent, and not any more before the task is stopped",
  async (start) => {
    const agent = await start();
    const alloc = await agent.run(job("web", [web({ Services: [service()], ShutdownDelay: 2 * SECOND })], {}, group));
    const [found] = await waitFor("the service", async () => {
      const list = await agent.read("/v1/service/web-t");
      return list.length === 1 && list;
    });
    const port = alloc.AllocatedResources.Shared.Ports[0].Value;
    expect(found).toMatchObject({ Address: "127.0.0.1", Port: port, AllocID: alloc.ID, JobID: "web", Tags: ["v1"], Datacenter: "dc1" });
    expect(await agent.read("/v1/services")).toEqual([{ Namespace: "default", Services: [{ ServiceName: "web-t", Tags: ["v1"] }] }]);
    expect(await agent.read(`/v1/allocation/${alloc.ID}/services`)).toEqual([found]);

    await agent.kill();
    await agent.start();
    expect(await agent.read("/v1/service/web-t")).toEqual([found]);

    const index = (await agent.get("/v1/service/web-t")).headers["x-nomad-index"];
    const gone = agent.get(`/v1/service/web-t?index=${index}&wait=20s`);
    await agent.delete("/v1/job/web");
    expect((await gone).json).toEqual([]);
    const stopping = await agent.read(`/v1/allocation/${alloc.ID}`);
    expect(stopping.TaskStates.t.Events.map((event: { Type: string }) => event.Type)).not.toContain("Terminated");
    await agent.untilAlloc(alloc.ID, "to end", (a) => a.ClientStatus === "complete");
    expect((await agent.get(`/v1/client/allocation/${alloc.ID}/checks`)).text).toBe("null");
  },
);

scenario("checks of all kinds tell what they find, decide on health and leave nothing open", async (start) => {
  const agent = await start();
  const script = check({ Name: "script", Type: "script", Command: "/bin/sh", Args: ["-c", "echo in $(basename $PWD); test -e local/up"] });
  const checks = [check(), check({ Name: "port", Type: "tcp", Path: "" }), script];
  const Update = {
    MaxParallel: 1,
    HealthCheck: "checks",
    MinHealthyTime: SECOND,
    HealthyDeadline: 60 * SECOND,
    ProgressDeadline: 120 * SECOND,
  };
  const alloc = await agent.run(job("web", [web({ Services: [service({ Checks: checks })] })], {}, { ...group, Update }));
  await untilCheck(agent, alloc.ID, "port", "success");
  const bad = await untilCheck(agent, alloc.ID, "web", "failure");
  expect(bad).toMatchObject({
    Output: "from /health",
    StatusCode: 503,
    Service: "web-t",
    Group: "web.g[0]",
    Task: "t",
    Mode: "healthiness",
  });
  expect(await untilCheck(agent, alloc.ID, "script", "failure")).toMatchObject({ Output: "in t\n" });
  expect((await agent.read(`/v1/allocation/${alloc.ID}`)).DeploymentStatus?.Healthy ?? null).toBeNull();

  writeFileSync(up(agent, alloc.ID), "");
  expect(await untilCheck(agent, alloc.ID, "web", "success")).toMatchObject({ Output: "nomad: http ok", StatusCode: 200 });
  await untilCheck(agent, alloc.ID, "script", "success");
  await agent.untilAlloc(alloc.ID, "to be healthy", (a) => a.DeploymentStatus?.Healthy === true);

  const held = (): number => openFiles(agent.pid).length;
  const processes = (): number => processesAbout(agent.root).length;
  const before = { held: held(), processes: processes() };
  const seen = (await checksOf(agent, alloc.ID))[0];
  await waitFor(
    "many more looks",
    async () => Number((await checksOf(agent, alloc.ID))[0]?.["Timestamp" as never]) >= Number(seen?.["Timestamp" as never]) + 5,
    20_000,
  );
  await waitFor("nothing more to be open than before", () => held() <= before.held + 2 && processes() <= before.processes);
});

scenario("a check that fails restarts its task by the restart policy", async (start) => {
  const agent = await start();
  const CheckRestart = { Limit: 2, Grace: SECOND };
  const alloc = await agent.run(job("web", [web({ Services: [service({ Checks: [check({ CheckRestart })] })] })], {}, group));
  const restarted = await agent.untilAlloc(
    alloc.ID,
    "to be restarted",
    (a) => a.TaskStates.t.Restarts === 1 && a.TaskStates.t.State === "running",
  );
  const events = restarted.TaskStates.t.Events as { Type: string; DisplayMessage: string; RestartReason: string }[];
  expect(events.map(({ Type }) => Type)).toEqual([
    "Received",
    "Task Setup",
    "Started",
    "Restart Signaled",
    "Terminated",
    "Restarting",
    "Started",
  ]);
  expect(events[3]?.DisplayMessage).toBe('healthcheck: check "web" unhealthy');
  expect(events[5]?.RestartReason).toBe("Restart within policy");
  writeFileSync(up(agent, alloc.ID), "");
  await untilCheck(agent, alloc.ID, "web", "success");
});

scenario("a script check that hangs is ended with all that it has started", async (start) => {
  const agent = await start();
  const hanging = check({ Name: "hangs", Type: "script", Command: "/bin/sh", Args: ["-c", "sleep 98761 & sleep 98762"] });
  const alloc = await agent.run(job("web", [web({ Services: [service({ Checks: [hanging] })] })], {}, group));
  expect((await untilCheck(agent, alloc.ID, "hangs", "failure")).Output).toBe("the check's timeout is over");
  const sleeps = (): number => processesAbout(agent.root).filter(({ command }) => /sleep 9876/.test(command)).length;
  // One look may be under way, never two.
  await waitFor("earlier looks to be gone", () => sleeps() <= 2);
  await agent.delete("/v1/job/web");
  await waitFor("all to be gone", () => sleeps() === 0);
});

scenario("host volumes are found by a link, and one that is not there is named by the placement", async (start) => {
  const root = `/tmp/allocd-volume-${process.pid}`;
  const { mkdirSync } = await import("node:fs");
  mkdirSync(root);
  try {
    const agent = await start({ config: { client: { host_volume: { data: { path: root } } } } });
    const node = (await agent.read("/v1/nodes"))[0];
    expect(node.HostVolumes).toEqual({ data: { Name: "data", Path: root, ReadOnly: false } });
    const using = (Source: string) =>
      job(
        `uses-${Source}`,
        [shell("t", "echo kept > local/v/f", { VolumeMounts: [{ Volume: "v", Destination: "local/v" }] })],
        { Type: "batch" },
        { Volumes: { v: { Type: "host", Source } } },
      );
    const alloc = await agent.run(using("data"), "complete");
    await agent.delete("/v1/job/uses-data?purge=true");
    await waitFor("the directory to be gone", () => !existsSync(join(agent.dataDir, "alloc", alloc.ID)));
    expect(existsSync(join(root, "f"))).toBe(true);

    const { EvalID } = await agent.register(using("none"));
    const evaluation = await agent.read(`/v1/evaluation/${EvalID}`);
    expect(evaluation.FailedTGAllocs.g.ConstraintFiltered).toEqual({ 'missing host volume "none"': 1 });
    expect(
      (await agent.put("/v1/jobs", { Job: job("bad", [shell("t", "true")], {}, { Volumes: { v: { Type: "csi", Source: "x" } } }) })).text,
    ).toMatch(/^Job\.TaskGroups\[0\]\.Volumes\["v"\]\.Type: got "csi"/);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
