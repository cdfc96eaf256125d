import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allocd, environment, freePort, runToEnd, top } from "../support/command.js";
import { isAlive, processesAbout } from "../support/host.js";
import { ask } from "../support/http.js";
import { leftOnHost } from "../support/leaks.js";
import { waitFor } from "../support/wait.js";

const script = join(top, ".ci/scripts/start.mjs");
let root: string;
let running: ChildProcess[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "allocd-start-"));
  running = [];
});

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  for (const { pid } of processesAbout(root)) process.kill(pid, "SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

/** Starts the script as `npm start` does. `said` is what it has printed so far. */
function npmStart(port: number) {
  const child = spawn(process.execPath, [script, "--port", String(port), "--data-dir", join(root, "data")], {
    env: environment({ ALLOCD_RUNTIME_DIR: join(root, "run") }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data: Buffer) => {
      text += data;
    });
  }
  let code: number | null | undefined;
  const ended = new Promise<number | null>((done) => child.once("close", done)).then((value) => {
    code = value;
    return value;
  });
  /** Waits for a text. @returns what the pattern's group has, or all of it. */
  const says = async (pattern: RegExp): Promise<string> => {
    const found = await waitFor(`${pattern}`, () => pattern.exec(text) ?? code !== undefined, 30_000).catch(() => true);
    if (typeof found === "boolean")
      throw new Error(`the script ${code === undefined ? "goes on" : "has ended"} without ${pattern}:\n${text}`);
    return found[1] ?? found[0];
  };
  return { said: () => text, says, interrupt: () => child.kill("SIGINT"), ended };
}

test("the example is started once, goes on without the agent, and is found again", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const first = npmStart(port);
  const id = await first.says(/runs as allocation ([0-9a-f-]{36})/);
  await first.says(/Ctrl-C/);
  expect(first.said()).toContain(`/v1/client/fs/logs/${id}`);
  const beside = (await first.says(/bin\/allocd (exec .*) \/bin\/sh/)).split(" ");
  expect(await runToEnd(allocd, [...beside, "/bin/echo", "inside"])).toMatchObject({ code: 0, stdout: "inside\n" });
  expect(first.said()).toContain("curl -X DELETE");
  const log = `${url}/v1/client/fs/logs/${id}?task=hello&type=stdout&plain=true`;
  const pid = Number(await waitFor("the example to speak", async () => /process (\d+)/.exec((await ask(log, "GET")).text)?.[1]));

  first.interrupt();
  expect(await first.ended).toBe(0);
  expect(first.said()).toMatch(/Still running without it: hello \(allocation /);
  expect(first.said()).toContain(id.slice(0, 8));
  expect(isAlive(pid)).toBe(true);

  const second = npmStart(port);
  await second.says(new RegExp(`runs as allocation ${id}`));
  expect(isAlive(pid)).toBe(true);
  expect((await ask(`${url}/v1/job/hello/allocations`, "GET")).json).toHaveLength(1);

  await ask(`${url}/v1/job/hello`, "DELETE");
  await waitFor("the example to end", async () => (await ask(`${url}/v1/allocation/${id}`, "GET")).json.ClientStatus === "complete");
  expect(isAlive(pid)).toBe(false);
  second.interrupt();
  expect(await second.ended).toBe(0);
  expect(second.said()).toContain("No task was running");

  const third = npmStart(port);
  await third.says(/was stopped earlier/);
  // Until then its directory is kept, and with it the tmpfs of its secrets.
  await ask(`${url}/v1/job/hello?purge=true`, "DELETE");
  await waitFor("the example to be forgotten", async () => (await ask(`${url}/v1/allocation/${id}`, "GET")).status === 404);
  third.interrupt();
  expect(await third.ended).toBe(0);
  for (const { pid: shim } of processesAbout(root).filter(({ command }) => /\bshim\b/.test(command))) process.kill(shim, "SIGTERM");
  await waitFor("nothing to be left", () => leftOnHost(root, "no-such-cgroup").length === 0);
}, 90_000);

test("a port in use is one line and exit code 1", async () => {
  const port = await freePort();
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(port, "127.0.0.1", done));
  try {
    const start = npmStart(port);
    expect(await start.ended).toBe(1);
    expect(start.said().trimEnd().split("\n")).toEqual([expect.stringContaining(`port ${port} of 127.0.0.1 is in use already`)]);
  } finally {
    await new Promise((done) => taken.close(done));
  }
});

test("missing compilers that can not be installed are one line that says how, and exit code 1", async () => {
  const program = `import { ensureTools, main } from ${JSON.stringify(join(top, ".ci/scripts/toolchain.mjs"))}; await main(() => ensureTools());`;
  const ended = await runToEnd(process.execPath, ["--input-type=module", "-e", program], { env: { PATH: root } });
  expect(ended).toEqual({ code: 1, stdout: "", stderr: "missing: g++, make, python3. On Debian: apt-get install g++ make python3\n" });
});
