import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allocd, environment, freePort, runToEnd } from "../support/command.js";
import { scenario } from "../support/scenario.js";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-config-"));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Runs an agent that has to refuse to start. @returns its one line. */
async function refusal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const ended = await runToEnd(allocd, ["agent", ...args], { cwd: dir, env: environment(env) });
  expect(ended.code).toBe(1);
  const lines = `${ended.stdout}${ended.stderr}`.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  return lines[0] ?? "";
}

function file(content: string): string {
  writeFileSync(join(dir, "agent.json"), content);
  return join(dir, "agent.json");
}

test.each([
  ["an unknown key", { prot: 1 }, /agent\.json: prot: no such setting, did you mean port\?/],
  ["a wrong type", { port: "x" }, /agent\.json: port: got "x", want a whole number/],
  [
    "a wrong type deep down",
    { drivers: { raw_exec: { enabled: 1 } } },
    /agent\.json: drivers\.raw_exec\.enabled: got 1, want true or false/,
  ],
  ["an address that all can reach", { bind_addr: "0.0.0.0" }, /bind_addr: got "0\.0\.0\.0", want a loopback address.*acl\.enabled/],
  [
    "TLS that tells nobody apart, beyond loopback",
    { bind_addr: "0.0.0.0", tls: { http: true, cert_file: "c", key_file: "k" } },
    /bind_addr/,
  ],
])("%s is one line and exit code 1, and nothing is half started", async (_what, settings, message) => {
  expect(
    await refusal(["--config", file(JSON.stringify({ data_dir: join(dir, "data"), runtime_dir: join(dir, "run"), ...settings }))]),
  ).toMatch(message);
  expect(existsSync(join(dir, "data"))).toBe(false);
  expect(existsSync(join(dir, "run"))).toBe(false);
});

test("JSON that is none is told with its line and column", async () => {
  expect(await refusal(["--config", file('{\n  "port": 4646,\n}\n')])).toMatch(/agent\.json:3:1: no JSON/);
});

test("a file that is not there is told by its name", async () => {
  expect(await refusal(["--config", "nowhere.json"])).toMatch(/nowhere\.json.*ENOENT/);
});

test("a flag and a variable are refused under their own names", async () => {
  expect(await refusal(["--port", "http"])).toMatch(/--port: got "http", want a whole number/);
  expect(await refusal([], { ALLOCD_LOG_LEVEL: "loud" })).toMatch(/ALLOCD_LOG_LEVEL: got "loud", want one of/);
});

test("a port in use is one line that names it, and no data directory is left locked", async () => {
  const port = await freePort();
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(port, "127.0.0.1", done));
  try {
    const line = await refusal([
      "--config",
      file(JSON.stringify({ data_dir: join(dir, "data"), runtime_dir: join(dir, "run") })),
      "--port",
      String(port),
    ]);
    expect(line).toContain(String(port));
    expect(line).toMatch(/in use/);
  } finally {
    await new Promise((done) => taken.close(done));
  }
});

scenario("a second agent on the same data directory is refused by its name, and the first goes on", async (start) => {
  const agent = await start();
  const port = await freePort();
  const line = await refusal(["--config", agent.configFile, "--port", String(port)]);
  expect(line).toContain(agent.dataDir);
  expect((await agent.get("/v1/agent/health")).status).toBe(200);
});

scenario("a flag wins over the file", async (start) => {
  const agent = await start({ config: { datacenter: "file" }, env: { ALLOCD_DATACENTER: "variable" } });
  const [node] = await agent.read("/v1/nodes");
  expect(node.Datacenter).toBe("variable");
});
