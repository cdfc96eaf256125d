import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestAgent } from "../support/agent.js";
import { allocd, environment, runToEnd } from "../support/command.js";
import { ExecClient, idleTask } from "../support/exec.js";
import { ask } from "../support/http.js";
import { type StartAgent, scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const acl = { enabled: true, bootstrap_token_file: "management.token", token_min_expiration_ttl: "1s" };
const audit = { enabled: true, delivery_guarantee: "enforced" };

const withAcl = (start: StartAgent, config: Readonly<Record<string, unknown>> = {}): Promise<TestAgent> =>
  start({ config: { acl, ...config } });

let policies = 0;

/** A client token with capabilities in the default namespace. */
async function token(agent: TestAgent, capabilities: readonly string[], more: object = {}) {
  const name = `p${++policies}`;
  const rules = { namespace: { default: { capabilities } } };
  expect((await agent.put(`/v1/acl/policy/${name}`, { Name: name, Rules: JSON.stringify(rules) })).status).toBe(200);
  const { json } = await agent.put("/v1/acl/token", { Name: name, Policies: [name], ...more });
  return { accessor: json.AccessorID as string, headers: { "X-Nomad-Token": json.SecretID as string } };
}

const everythingOnTasks = ["read-job", "read-logs", "read-fs", "alloc-exec", "alloc-node-exec"];

scenario("a token that is deleted ends its exec session, its command and its log within a second; another's go on", async (start) => {
  const agent = await withAcl(start);
  const id = await idleTask(agent);
  const [one, other] = [await token(agent, everythingOnTasks), await token(agent, everythingOnTasks)];
  const command = ["sh", "-c", "echo started; exec sleep 3000"];
  const [mine, theirs] = [one, other].map(({ headers }) => new ExecClient(agent, id, command, { headers }));
  await mine?.said("started");
  await theirs?.said("started");
  const log = follow(agent, id, one.headers);
  await log.begun;
  const started = performance.now();
  await agent.delete(`/v1/acl/token/${one.accessor}`);
  expect(await mine?.closed).toEqual({ code: 1008, reason: "Permission denied" });
  await log.ended;
  expect(performance.now() - started).toBeLessThan(1_000);
  expect(theirs?.ws.readyState).toBe(1);
  theirs?.ws.terminate();
  await theirs?.closed;
});

scenario("a token that expires ends its sessions within a second", async (start) => {
  const agent = await withAcl(start);
  const id = await idleTask(agent);
  const { headers } = await token(agent, everythingOnTasks, { ExpirationTTL: "3s" });
  const began = performance.now();
  const client = new ExecClient(agent, id, ["sleep", "3000"], { headers });
  expect(await client.closed).toEqual({ code: 1008, reason: "Permission denied" });
  const lasted = performance.now() - began;
  expect(lasted).toBeLessThan(4_000);
  expect((await ask(`${agent.url}/v1/allocations`, "GET", { headers })).text).toBe("ACL token expired");
});

function follow(agent: TestAgent, id: string, headers: Readonly<Record<string, string>>) {
  const path = `/v1/client/fs/logs/${id}?task=t&type=stdout&follow=true&plain=true`;
  let ended: () => void = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    request(agent.url + path, { headers, agent: false }, (response) => {
      response.on("error", () => {});
      response.on("close", ended);
      response.resume();
      resolve();
    })
      .on("error", ended)
      .end();
  });
  return { begun, ended: end };
}

scenario("the token file is root's own, survives restarts, and allocd exec uses a token from wherever it is given", async (start) => {
  const agent = await withAcl(start, { unix_socket: { path: "api.sock" } });
  const file = join(agent.dataDir, "management.token");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const secret = readFileSync(file, "utf8").trim();
  await agent.stop();
  await agent.start();
  expect(readFileSync(file, "utf8").trim()).toBe(secret);
  const id = await idleTask(agent);
  const exec = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runToEnd(allocd, ["exec", ...args, id, "echo", "hello"], { env: environment(env) });
  const there = ["--address", agent.url];
  const ways: readonly (readonly [args: readonly string[], env?: Readonly<Record<string, string>>])[] = [
    [[...there, "--token", secret]],
    [[...there, "--token-file", file]],
    [there, { ALLOCD_TOKEN: secret }],
    [there, { NOMAD_TOKEN: secret }],
    [there, { ALLOCD_TOKEN_FILE: file }],
    [["--address", `unix://${join(agent.dataDir, "api.sock")}`], { ALLOCD_TOKEN: secret }],
  ];
  for (const [args, env] of ways) expect(await exec(args, env)).toEqual({ code: 0, stdout: "hello\n", stderr: "" });
  expect(await exec([...there, "--token", "00000000-0000-0000-0000-000000000000"])).toMatchObject({
    code: 255,
    stderr: expect.stringContaining("Permission denied"),
  });
});

scenario("every change and every exec is in the audit log, whose chain is checked, and which has no secret", async (start) => {
  const agent = await withAcl(start, { audit });
  const id = await idleTask(agent);
  const { headers } = await token(agent, everythingOnTasks);
  const client = new ExecClient(agent, id, ["sh", "-c", "exit 3", "pass-word"], { headers });
  await client.closed;
  expect((await ask(`${agent.url}/v1/allocation/${id}/stop`, "POST", { headers })).status).toBe(403);
  const path = join(agent.dataDir, "audit", "audit.log");
  const text = readFileSync(path, "utf8");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toContainEqual(expect.objectContaining({ stage: "complete", method: "PUT", path: "/v1/jobs", status: 200, who: "token" }));
  expect(lines).toContainEqual(
    expect.objectContaining({
      stage: "complete",
      action: "exec",
      alloc: id,
      task: "t",
      command: "sh",
      arguments: 3,
      exitCode: 3,
      from: "127.0.0.1",
    }),
  );
  for (const secret of [agent.headers["X-Nomad-Token"], headers["X-Nomad-Token"], "pass-word"]) expect(text).not.toContain(secret);
  const verify = () => runToEnd(allocd, ["audit", "verify", path]);
  expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringMatching(/lines, 1 to \d+, are one unbroken chain/) });
  writeFileSync(path, text.replace('"command":"sh"', '"command":"ls"'));
  expect(await verify()).toMatchObject({ code: 1, stderr: expect.stringMatching(/chain is broken.*audit\.log:\d+/) });
});

scenario("without an audit log that can be written nothing is changed and no command runs, but reads go on", async (start) => {
  // Writes to this device fail for want of space.
  const agent = await start({ config: { audit: { ...audit, path: "/dev/full" } } });
  const refused = await agent.put("/v1/jobs", { Job: { ID: "x" } });
  expect([refused.status, refused.text]).toEqual([507, expect.stringMatching(/audit log can not be written.*ENOSPC/)]);
  expect((await agent.get("/v1/jobs")).json).toEqual([]);
});

scenario("over loopback another user is refused without access control, and its group gets in by the local socket", async (start) => {
  const agent = await start({ config: { unix_socket: { path: "api.sock", group: "65534" } } });
  const socket = join(agent.dataDir, "api.sock");
  // The test's own directory lets nobody else through.
  chmodSync(agent.root, 0o711);
  expect([statSync(socket).mode & 0o777, statSync(socket).gid]).toEqual([0o660, 65534]);
  const script = `
    const { request } = require("node:http");
    const ask = (options) => new Promise((done) => request({ path: "/v1/allocations", ...options }, (r) => { let t = ""; r.on("data", (d) => (t += d)); r.on("end", () => done(r.statusCode + " " + t)); }).on("error", (e) => done(e.code)).end());
    (async () => { console.log(await ask({ host: "127.0.0.1", port: ${agent.port} })); console.log(await ask({ socketPath: ${JSON.stringify(socket)} })); })();`;
  const as = async (uid: number, gid: number): Promise<readonly string[]> => {
    const args = ["--reuid", String(uid), "--regid", String(gid), "--clear-groups", process.execPath, "-e", script];
    const { stdout, stderr } = await runToEnd("setpriv", args);
    return [...stdout.trimEnd().split("\n"), ...(stderr === "" ? [] : [stderr])];
  };
  expect(await as(0, 0)).toEqual(["200 []", "200 []"]);
  expect(await as(12_345, 65_534)).toEqual([expect.stringMatching(/^403 user 12345 is not let in/), "200 []"]);
  expect(await as(12_345, 12_345)).toEqual([expect.stringMatching(/^403/), "EACCES"]);
  const upgrade = await runToEnd("setpriv", [
    "--reuid=12345",
    "--regid=12345",
    "--clear-groups",
    process.execPath,
    "-e",
    `require("node:http").request({ host: "127.0.0.1", port: ${agent.port}, path: "/v1/client/allocation/x/exec", headers: { Connection: "Upgrade", Upgrade: "websocket" } }, (r) => { console.log(r.statusCode); r.resume(); }).end()`,
  ]);
  expect(upgrade.stdout).toBe("403\n");
});

scenario("whoever is slow to say what it wants is cut off, and one address gets no more than its connections", async (start) => {
  const agent = await start({ config: { http: { headers_timeout: "1s", max_conns_per_client: 3 } } });
  const slow = connect(agent.port, "127.0.0.1");
  let said = "";
  slow.on("data", (data: Buffer) => {
    said += data;
  });
  const closed = new Promise((resolve) => slow.once("close", resolve));
  slow.on("error", () => {});
  slow.write("GET /v1/allocations HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
  await closed;
  expect(said).toMatch(/^HTTP\/1\.1 408/);
  const held = [1, 2, 3].map(() => connect(agent.port, "127.0.0.1"));
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
  expect((await agent.get("/v1/agent/health")).status).toBe(429);
  await Promise.all(
    held.map((socket) => {
      const gone = new Promise((resolve) => socket.once("close", resolve));
      socket.destroy();
      return gone;
    }),
  );
  await waitFor("the agent to have seen them go", async () => (await agent.get("/v1/agent/health")).status === 200);
});

scenario("sessions of one token and of one allocation have limits of their own", async (start) => {
  const agent = await withAcl(start, { http: { max_exec_sessions_per_token: 2, max_exec_sessions_per_allocation: 3 } });
  const id = await idleTask(agent);
  const owners = [await token(agent, everythingOnTasks), await token(agent, everythingOnTasks)];
  const open = (owner: (typeof owners)[number] | undefined) =>
    new ExecClient(agent, id, ["sh", "-c", "echo up; exec sleep 3000"], { headers: owner?.headers ?? {} });
  const clients = [open(owners[0]), open(owners[0])];
  for (const client of clients) await client.said("up");
  expect(await open(owners[0]).closed).toMatchObject({ code: 1008, reason: "there are 2 exec sessions of this token already" });
  clients.push(open(owners[1]));
  await clients[2]?.said("up");
  expect(await open(owners[1]).closed).toMatchObject({ code: 1008, reason: "there are 3 exec sessions of this allocation already" });
  for (const client of clients) client.ws.terminate();
  await Promise.all(clients.map(({ closed }) => closed));
});
