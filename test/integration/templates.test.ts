import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TestAgent } from "../support/agent.js";
import { job, SECOND, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const logOf = async (agent: TestAgent, id: string, task = "t"): Promise<string> =>
  (await agent.get(`/v1/client/fs/logs/${id}?task=${task}&type=stdout&plain=true`)).text;

const untilLog = (agent: TestAgent, id: string, text: RegExp): Promise<boolean> =>
  waitFor(`the log to have ${text}`, async () => text.test(await logOf(agent, id)));

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it knows to be there
const messages = (alloc: any, task = "t"): readonly string[] =>
  alloc.TaskStates[task].Events.map((event: { Type: string; DisplayMessage: string }) => `${event.Type}: ${event.DisplayMessage}`);

const secret = (path: string) => `{{ with nomadVar "${path}" }}{{ .pw }}{{ end }}`;
const soon = { Splay: 0, Wait: { Min: 0, Max: 0 } };
const loop = "while :; do sleep 0.1; done";

scenario("a task waits for its variable, gets it as a file and a variable, and is signalled when it changes", async (start) => {
  const agent = await start();
  const templates = [
    {
      EmbeddedTmpl: `pw=${secret("nomad/jobs/app")}\n`,
      DestPath: "local/conf",
      ChangeMode: "signal",
      ChangeSignal: "HUP",
      Perms: "600",
      ...soon,
    },
    { EmbeddedTmpl: `PW=${secret("nomad/jobs/app")}\n`, DestPath: "secrets/env", Envvars: true, ChangeMode: "noop", ...soon },
  ];
  const script = `trap 'cat local/conf' HUP; echo "env=$PW"; cat local/conf; ${loop}`;
  await agent.register(job("app", [shell("t", script, { User: "nobody", Templates: templates })]));
  const [stub] = await agent.untilAllocs(
    "app",
    "to wait",
    (all) => all.length === 1 && messages(all[0]).some((text) => text.startsWith("Template")),
  );
  expect(messages(stub)).toContain("Template: Missing: nomad.var.block(nomad/jobs/app@default.global)");
  await agent.put("/v1/var/nomad/jobs/app", { Items: { pw: "first-secret" } });
  await untilLog(agent, stub.ID, /env=first-secret\npw=first-secret\n/);
  await agent.put("/v1/var/nomad/jobs/app", { Items: { pw: "second-secret" } });
  await untilLog(agent, stub.ID, /pw=second-secret\n/);
  const alloc = await agent.read(`/v1/allocation/${stub.ID}`);
  expect(messages(alloc)).toContain("Signaling: Template re-rendered");
  const conf = join(agent.dataDir, "alloc", stub.ID, "t/local/conf");
  expect(statSync(conf).mode & 0o777).toBe(0o600);
  // Neither the log nor the database tells what a variable holds.
  expect(agent.log).not.toMatch(/second-secret/);
  for (const file of readdirSync(join(agent.dataDir, "state"))) {
    expect(readFileSync(join(agent.dataDir, "state", file)).includes("second-secret")).toBe(false);
  }
});

scenario("a variable that changes while no agent is there restarts the task when one is back", async (start) => {
  const agent = await start();
  await agent.put("/v1/var/nomad/jobs/app", { Items: { pw: "one" } });
  const template = { EmbeddedTmpl: secret("nomad/jobs/app"), DestPath: "local/conf", ChangeMode: "restart", ...soon };
  const { ID } = await agent.run(job("app", [shell("t", `echo "has $(cat local/conf)"; ${loop}`, { Templates: [template] })]));
  await untilLog(agent, ID, /has one\n/);
  await agent.kill();
  await agent.start();
  await agent.put("/v1/var/nomad/jobs/app", { Items: { pw: "two" } });
  await untilLog(agent, ID, /has one\nhas two\n/);
  const alloc = await agent.untilAlloc(ID, "to run", (one) => one.TaskStates.t.State === "running");
  expect(messages(alloc)).toContain("Restart Signaled: Template with change_mode restart re-rendered");
});

scenario("a change runs the script beside the task, and tells how it ended", async (start) => {
  const agent = await start();
  await agent.put("/v1/var/nomad/jobs/app", { Items: { pw: "one" } });
  const change = (Command: string, Args: readonly string[]) => ({
    ChangeMode: "script",
    ChangeScript: { Command, Args, Timeout: SECOND, FailOnError: false },
  });
  const text = { EmbeddedTmpl: secret("nomad/jobs/app"), ...soon };
  const templates = [
    { ...text, DestPath: "local/a", ...change("/bin/sh", ["-c", "cp local/a local/copy"]) },
    { ...text, DestPath: "local/b", ...change("/bin/sleep", ["60"]) },
  ];
  const { ID } = await agent.run(job("app", [shell("t", loop, { Templates: templates })]));
  await agent.put("/v1/var/nomad/jobs/app", { Items: { pw: "two" } });
  const alloc = await agent.untilAlloc(ID, "to have run both", (one) =>
    messages(one).some((message) => message.includes("failed to run script")),
  );
  expect(readFileSync(join(agent.dataDir, "alloc", ID, "t/local/copy"), "utf8")).toBe("two");
  expect(messages(alloc)).toContain(
    "Task hook message: Template successfully ran script /bin/sh with arguments [-c cp local/a local/copy]. Exit code: 0",
  );
  expect(messages(alloc).join()).toMatch(
    /Template failed to run script \/bin\/sleep with arguments \[60\] on change: it did not end in 1000 ms/,
  );
});

scenario("a template that can not be used fails the task and names the construct", async (start) => {
  const agent = await start();
  const failed = async (id: string, EmbeddedTmpl: string): Promise<string> =>
    messages(await agent.run(job(id, [shell("t", loop, { Templates: [{ EmbeddedTmpl, DestPath: "local/x" }] })]), "failed")).join("\n");
  expect(await failed("a", '{{ key "x" }}')).toMatch(
    /Failed Validation: Templates\[0\]: template: :1: function "key" is not supported: there is no Consul here/,
  );
  expect(await failed("b", "{{ range }}")).toMatch(/Failed Validation: .*missing value for range/);
  expect(await failed("c", '{{ mustEnv "NONE" }}')).toMatch(/Killing: Template failed: .*NONE is empty/);
  const refused = await agent.put("/v1/jobs", { Job: job("d", [shell("t", loop, { Templates: [{ DestPath: "x" }] })]) });
  expect([refused.status, refused.text]).toEqual([400, expect.stringMatching(/TaskGroups\[0\]\.Tasks\[0\]\.Templates\[0\]\.EmbeddedTmpl/)]);
});

scenario("variables outlive the agent", async (start) => {
  const agent = await start();
  await agent.put("/v1/var/app/db", { Items: { user: "u" } });
  await agent.kill();
  await agent.start();
  expect(await agent.read("/v1/var/app/db")).toMatchObject({ Items: { user: "u" } });
  expect(statSync(join(agent.dataDir, "state/variables.keys")).mode & 0o777).toBe(0o600);
  const { Key } = (await agent.put("/v1/operator/keyring/rotate?full=true")).json;
  expect((await agent.read("/v1/operator/keyring/keys"))[0]).toEqual({ Algorithm: "aes256-gcm", KeyID: Key.KeyID, State: "active" });
  expect(await agent.read("/v1/var/app/db")).toMatchObject({ Items: { user: "u" } });
  expect((await agent.delete("/v1/var/app/db")).status).toBe(204);
});

/** A server of one file, which the test may hold back. */
async function serving<T>(answer: (response: ServerResponse) => void, work: (url: string) => Promise<T>): Promise<T> {
  const server: Server = createServer((_request, response) => answer(response)).listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

scenario("an artifact is there before the templates and the task, once for all of its runs", async (start) => {
  const agent = await start();
  const archive = execFileSync("tar", ["-cz", "--transform", "s/.*/conf.tpl/", "-C", "/", "etc/hostname"]);
  let asked = 0;
  const answer = (response: ServerResponse): void => {
    asked++;
    response.end(archive);
  };
  await serving(answer, async (url) => {
    const task = shell("t", "cat local/in/out; stat -c %U local/in/out local/in/conf.tpl; exit 1", {
      User: "nobody",
      Artifacts: [{ GetterSource: `${url}/a.tgz`, RelativeDest: "local/in" }],
      Templates: [{ SourcePath: "local/in/conf.tpl", DestPath: "local/in/out" }],
      RestartPolicy: { Attempts: 1, Interval: 600 * SECOND, Delay: 0, Mode: "fail" },
    });
    const alloc = await agent.run(job("app", [task], { Type: "batch" }), "failed");
    const host = readFileSync("/etc/hostname", "utf8");
    await waitFor("the log", async () => (await logOf(agent, alloc.ID)) === `${host}nobody\nnobody\n`.repeat(2));
    expect(asked).toBe(1);
    expect(messages(alloc)).toContain("Downloading Artifacts: Client is downloading artifacts");
  });
});

scenario("an artifact that leads out of the task's directory is refused and leaves nothing", async (start) => {
  const agent = await start();
  const archive = execFileSync("tar", ["-c", "--absolute-names", "/etc/hostname"], { stdio: ["ignore", "pipe", "ignore"] });
  await serving(
    (response) => response.end(archive),
    async (url) => {
      const alloc = await agent.run(job("app", [shell("t", loop, { Artifacts: [{ GetterSource: `${url}/a.tar` }] })]), "failed");
      expect(messages(alloc).join("\n")).toMatch(
        /Failed Artifact Download: failed to download artifact "http:\/\/127\.0\.0\.1:\d+\/a\.tar": the archive has an entry/,
      );
      expect(readdirSync(join(agent.dataDir, "artifacts"))).toEqual([]);
    },
  );
});

scenario("a download that goes on is given up with its task, and taken up anew after the agent's end", async (start) => {
  const agent = await start();
  let asked = 0;
  const answer = (response: ServerResponse): void => {
    asked++;
    response.writeHead(200);
    response.write("half");
    if (asked > 1) response.end(" and the rest");
  };
  await serving(answer, async (url) => {
    const task = shell("t", `cat local/f; ${loop}`, { Artifacts: [{ GetterSource: `${url}/f` }] });
    await agent.register(job("app", [task]));
    await waitFor("the download", () => asked === 1);
    await agent.kill();
    await agent.start();
    const [stub] = await agent.untilAllocs("app", "to run", (all) => all[0]?.ClientStatus === "running");
    await untilLog(agent, stub.ID, /^half and the rest$/);
    // What the first agent had begun is gone too.
    expect(readdirSync(join(agent.dataDir, "artifacts"))).toEqual([]);
    asked = 0;
    await agent.register(job("other", [task]));
    await waitFor("the download", () => asked === 1);
    await agent.delete("/v1/job/other");
    await agent.untilAllocs("other", "to end", (all) => all.every((one) => one.ClientStatus === "complete"));
  });
});
