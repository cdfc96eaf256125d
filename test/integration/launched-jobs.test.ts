import { get } from "node:http";
import type { TestAgent } from "../support/agent.js";
import { job, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

type Stub = { readonly ID: string; readonly Status: string; readonly ParentID: string };

const childrenOf = async (agent: TestAgent, parent: string): Promise<readonly Stub[]> =>
  (await agent.read("/v1/jobs")).filter(({ ParentID }: Stub) => ParentID === parent);
const logOf = async (agent: TestAgent, allocId: string): Promise<string> =>
  (await agent.get(`/v1/client/fs/logs/${allocId}?task=t&type=stdout&plain=true`)).text;

scenario("a dispatch brings its payload and its meta to the task, and a repeat of its token nothing", async (start) => {
  const agent = await start();
  const script = 'cat local/in/put.bin; echo "$NOMAD_META_WHO, $NOMAD_META_WHY. $NOMAD_JOB_PARENT_ID"';
  const task = shell("t", script, { DispatchPayload: { File: "in/put.bin" } });
  await agent.register(
    job("order", [task], { Type: "batch", ParameterizedJob: { Payload: "required", MetaRequired: ["who"], MetaOptional: ["why"] } }),
  );
  expect(await agent.read("/v1/job/order")).toMatchObject({ Status: "running" });
  const body = { Payload: Buffer.from("payload\n").toString("base64"), Meta: { who: "me" } };
  const { json: first } = await agent.put("/v1/job/order/dispatch?idempotency_token=a", body);
  const { json: again } = await agent.put("/v1/job/order/dispatch?idempotency_token=a", body);
  expect(again.DispatchedJobID).toBe(first.DispatchedJobID);
  expect(first.DispatchedJobID).toMatch(/^order\/dispatch-\d{10}-[0-9a-f]{8}$/);
  const [alloc] = await agent.untilAllocs(first.DispatchedJobID, "to be complete", (all) => all[0]?.ClientStatus === "complete");
  expect(await logOf(agent, alloc.ID)).toBe("payload\nme, . order\n");
  // The id as it is, which is what many clients send.
  const [same] = await agent.read(`/v1/job/${first.DispatchedJobID}/allocations`);
  expect(same.ID).toBe(alloc.ID);
  await waitFor("the child to be dead", async () => (await childrenOf(agent, "order"))[0]?.Status === "dead");
  expect(await agent.read("/v1/job/order/summary")).toMatchObject({ Children: { Dead: 1, Pending: 0, Running: 0 } });
  const refused = await agent.put("/v1/job/order/dispatch", { Payload: body.Payload, Meta: {} });
  expect([refused.status, refused.text]).toEqual([400, 'Dispatch did not provide required meta keys: ["who"]']);
  await agent.put("/v1/system/gc");
  expect(await childrenOf(agent, "order")).toEqual([]);
  expect(await agent.read("/v1/job/order")).toMatchObject({ Status: "running" });
});

scenario("a periodic job is launched every second, by name once, also over a kill -9", async (start) => {
  const agent = await start();
  const Periodic = { Spec: "* * * * * * *", TimeZone: "Europe/Berlin" };
  await agent.register(job("tick", [shell("t", "true")], { Type: "batch", Periodic }));
  const launches = async (): Promise<readonly number[]> =>
    (await childrenOf(agent, "tick")).map(({ ID }) => Number(ID.split("periodic-")[1]));
  await waitFor("three launches", async () => (await launches()).length >= 3);
  await agent.kill();
  await agent.start();
  const before = await launches();
  await waitFor("three more launches", async () => (await launches()).length >= before.length + 3);
  const after = await launches();
  expect(new Set(after).size).toBe(after.length);
  expect(after.slice(0, before.length)).toEqual(before);
  const forced = await agent.put("/v1/job/tick/periodic/force");
  expect(forced.json).toMatchObject({ EvalID: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  await agent.delete("/v1/job/tick");
  expect(await agent.read("/v1/job/tick")).toMatchObject({ Status: "dead", Stop: true });
  const stopped = (await launches()).length;
  await agent.untilAllocs(`tick/periodic-${after.at(-1)}`, "to be complete", (all) => all[0]?.ClientStatus === "complete");
  expect((await launches()).length).toBe(stopped);
});

scenario("a job in HCL is validated, registered, changed, reverted, and every step is told in the event stream", async (start) => {
  const agent = await start();
  const lines = await eventLines(agent, "?topic=Job:web&topic=Deployment:web");
  const JobHCL = `
variable "words" {
  type    = string
  default = "none"
}
job "web" {
  group "g" {
    ephemeral_disk {
      size = 20
    }
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo ${"$"}{NOMAD_TASK_NAME} ${"$"}{upper(var.words)}; exec sleep 1000"]
      }
      logs {
        max_files     = 1
        max_file_size = 5
      }
      resources {
        cpu    = 5
        memory = 10
      }
    }
  }
}`;
  const { json: web } = await agent.post("/v1/jobs/parse", { JobHCL, Variables: 'words = "hello"', Canonicalize: true });
  expect((await agent.put("/v1/validate/job", { Job: web })).json).toMatchObject({ ValidationErrors: null, Warnings: "" });
  const broken = { ...web, TaskGroups: [{ ...web.TaskGroups[0], Tasks: [{ ...web.TaskGroups[0].Tasks[0], Config: { comand: "x" } }] }] };
  expect((await agent.put("/v1/validate/job", { Job: broken })).json.ValidationErrors[0]).toMatch(
    /group "g" -> task "t" -> config: .*comand/,
  );
  const alloc = await agent.run(web);
  await waitFor("the output", async () => (await logOf(agent, alloc.ID)) === "t HELLO\n");
  await agent.register({ ...web, Priority: 60 });
  const { json: reverted } = await agent.put("/v1/job/web/revert", { JobID: "web", JobVersion: 0, EnforcePriorVersion: 1 });
  expect(reverted).toMatchObject({ EvalID: expect.any(String) });
  await agent.put("/v1/job/web/stable", { JobID: "web", JobVersion: 1, Stable: true });
  const { Versions, Diffs } = await agent.read("/v1/job/web/versions?diffs=true");
  const told = Versions.map(({ Version, Priority, Stable }: Record<string, unknown>) => [Version, Priority, Stable]);
  expect(told).toEqual([
    [2, 50, expect.any(Boolean)],
    [1, 60, true],
    [0, 50, expect.any(Boolean)],
  ]);
  expect(Diffs[1].Fields).toEqual([{ Annotations: null, Name: "Priority", New: "60", Old: "50", Type: "Edited" }]);
  await waitFor("three registrations", () => lines.all.filter(({ Topic }) => Topic === "Job").length === 3);
  expect(lines.all.filter(({ Topic }) => Topic === "Job").map(({ Type, Payload }) => [Type, Payload.Job.Version])).toEqual([
    ["JobRegistered", 0],
    ["JobRegistered", 1],
    ["JobRegistered", 2],
  ]);
  const indexes = lines.all.map(({ Index }) => Index);
  expect(indexes).toEqual([...indexes].sort((a, b) => a - b));
  lines.leave();
});

scenario("a namespace holds its jobs, and goes when it has none", async (start) => {
  const agent = await start();
  const web = { ...job("web", [shell("t", "exec sleep 1000")]), Namespace: "team" };
  const refused = await agent.put("/v1/jobs", { Job: web });
  expect([refused.status, refused.text]).toEqual([400, 'job "web" is in nonexistent namespace "team"']);
  expect((await agent.put("/v1/namespace", { Name: "team", Description: "ours" })).status).toBe(200);
  await agent.register(web);
  await agent.kill();
  await agent.start();
  expect((await agent.read("/v1/namespaces")).map(({ Name }: { Name: string }) => Name)).toEqual(["default", "team"]);
  expect(await agent.read("/v1/jobs")).toEqual([]);
  expect((await agent.read("/v1/jobs?namespace=*")).map(({ ID }: Stub) => ID)).toEqual(["web"]);
  expect((await agent.delete("/v1/namespace/team")).status).toBe(409);
  await agent.delete("/v1/job/web?namespace=team&purge=true");
  expect((await agent.delete("/v1/namespace/team")).status).toBe(200);
  expect((await agent.get("/v1/namespace/team")).status).toBe(404);
});

/** Reads the event stream until the test leaves it. */
async function eventLines(agent: TestAgent, query: string) {
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it knows to be there
  const all: any[] = [];
  const request = get(`${agent.url}/v1/event/stream${query}`, { agent: false });
  let rest = "";
  await new Promise<void>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      response.on("error", () => {});
      response.on("data", (chunk: Buffer) => {
        const parts = (rest + chunk.toString()).split("\n");
        rest = parts.pop() ?? "";
        for (const line of parts) all.push(...(JSON.parse(line).Events ?? []));
        resolve();
      });
    });
  });
  return { all, leave: () => request.destroy() };
}
