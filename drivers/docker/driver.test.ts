import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DriverError, type StartContext, type TaskSpec } from "../driver.js";
import { labelNames } from "./container/names.js";
import { DockerDriver } from "./driver.js";
import type { DockerOptions } from "./options.js";
import { busyboxImage, describeWithEngine, quiet, realTime } from "./testing/engine.js";
import { taskSpec, testHost, testOptions } from "./testing/spec.js";

let dir: string;
let drivers: DockerDriver[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-docker-driver-"));
});
afterEach(async () => {
  await Promise.all(drivers.map((driver) => driver.close()));
  drivers = [];
  rmSync(dir, { recursive: true });
});

function driver(socket: string, options: Partial<DockerOptions> = {}, nodeId = "node-1"): DockerDriver {
  const made = new DockerDriver({
    options: { ...testOptions, ...options },
    env: { DOCKER_HOST: `unix://${socket}` },
    stateDir: join(dir, "docker"),
    host: () => ({ ...testHost, nodeId }),
    time: { ...realTime, now: () => BigInt(Date.now()) * 1_000_000n },
    log: quiet,
  });
  drivers.push(made);
  return made;
}

function spec(task: string, script: string, change: Partial<TaskSpec> = {}): TaskSpec {
  const alloc = join(dir, "alloc");
  const dirs = {
    alloc,
    shared: join(alloc, "alloc"),
    logs: join(alloc, "alloc/logs"),
    task: join(alloc, task),
    local: join(alloc, task, "local"),
    secrets: join(alloc, task, "secrets"),
  };
  for (const path of Object.values(dirs)) mkdirSync(path, { recursive: true });
  const config = { image: busyboxImage, command: "/bin/sh", args: ["-c", script], network_mode: "none" };
  const { allocId } = taskSpec();
  return taskSpec({ task, runId: `${allocId}.${task}.1`, config, dirs, ...change });
}

const context = (): StartContext => ({ message: () => {}, signal: new AbortController().signal });
const logOf = ({ dirs, task }: TaskSpec): string => readFileSync(join(dirs.logs, `${task}.stdout.0`), "utf8");

describeWithEngine("the driver", (engine) => {
  test("one run is one container, however often it is started", async () => {
    const given = spec("twice", "echo once; exec sleep 1000");
    const first = driver(engine().socketPath);
    const [one, two] = await Promise.all([first.start(given, context()), first.start(given, context())]);
    // As an agent does that ends before the start is on record, and its successor.
    await first.close();
    const three = await driver(engine().socketPath).start(given, context());
    expect(new Set([one.state.containerId, two.state.containerId, three.state.containerId]).size).toBe(1);
    await three.stop("", 0);
    await three.destroy();
    expect(logOf(given)).toBe("once\n");
  });

  test("what is left of an earlier run makes room, what is somebody else's does not", async () => {
    const { docker, socketPath } = engine();
    const given = spec("room", "exit 0");
    const old = await driver(socketPath).start({ ...given, runId: `${given.runId}0` }, context());
    await old.exited;
    const run = await driver(socketPath).start(given, context());
    expect(run.state.containerId).not.toBe(old.state.containerId);
    expect(await run.exited).toMatchObject({ exitCode: 0 });
    await run.destroy();
    const foreign = await docker.createContainer({ Image: busyboxImage, name: `room-${given.allocId}`, Cmd: ["true"] });
    await expect(driver(socketPath).start(given, context())).rejects.toThrow("which is not ours");
    await foreign.remove();
  });

  test("a start that is given up leaves nothing", async () => {
    const { docker, socketPath } = engine();
    const given = spec("given-up", "exec sleep 1000");
    const giveUp = new AbortController();
    const starting = driver(socketPath).start(given, { message: () => {}, signal: giveUp.signal });
    giveUp.abort();
    const run = await starting.catch((error: unknown) => error);
    if (!(run instanceof Error)) await (run as Awaited<typeof starting>).destroy();
    expect(await docker.listContainers({ all: true })).toEqual([]);
  });

  test("a command that is not in the image is an error of the start, and leaves no container", async () => {
    const given = spec("nothing", "", { config: { image: busyboxImage, command: "/no/such", network_mode: "none" } });
    await expect(driver(engine().socketPath).start(given, context())).rejects.toThrow(/Failed to start container .*\/no\/such/);
    expect(await engine().docker.listContainers({ all: true })).toEqual([]);
    expect(readdirSync(join(dir, "docker"))).toEqual([]);
  });

  test("a successor takes a run up, with its output and its end", async () => {
    const given = spec("kept", "echo one; until [ -e /local/go ]; do sleep 0.02; done; echo two; exit 5");
    const first = driver(engine().socketPath);
    const run = await first.start(given, context());
    await first.close();
    mkdirSync(join(given.dirs.local, "go"));
    const recovery = await driver(engine().socketPath).recover(run.state, given);
    if (recovery.outcome !== "found") throw new Error(recovery.reason);
    expect(await recovery.run.exited).toEqual({
      exitCode: 5,
      signal: 0,
      oomKilled: false,
      error: "Docker container exited with non-zero exit code: 5",
    });
    expect(logOf(given)).toBe("one\ntwo\n");
    await recovery.run.destroy();
    expect(await driver(engine().socketPath).recover(run.state, given)).toEqual({
      outcome: "lost",
      reason: "unknown: the container is gone",
    });
  });

  test("only containers of this node that belong to no allocation are removed, with their volumes", async () => {
    const { docker, socketPath } = engine();
    const make = async (name: string, labels: Record<string, string>): Promise<void> => {
      await docker.createContainer({ Image: busyboxImage, name, Cmd: ["true"], Labels: labels, Volumes: { "/v": {} } });
    };
    const own = { [labelNames.node]: "node-1", [labelNames.run]: "x" };
    await make("dangling", { ...own, [labelNames.alloc]: "gone" });
    await make("open", { ...own, [labelNames.alloc]: "open" });
    await make("other-node", { ...own, [labelNames.node]: "node-2", [labelNames.alloc]: "gone" });
    await make("nobodys", {});
    const names = async (): Promise<readonly string[]> =>
      (await docker.listContainers({ all: true })).map(({ Names }) => Names[0] ?? "").sort();
    const allocs = { isOpen: (id: string) => id === "open", isRemoved: () => false };
    const sweeping = (graceMs: number, dryRun: boolean, periodMs = 60_000): void => {
      const dangling = { ...testOptions.gc.dangling, graceMs, dryRun, periodMs };
      void driver(socketPath, { gc: { ...testOptions.gc, dangling } }).removeForgotten(allocs);
    };
    sweeping(60_000, false);
    sweeping(-60_000, true);
    await realTime.sleep(300);
    expect(await names()).toEqual(["/dangling", "/nobodys", "/open", "/other-node"]);
    sweeping(-60_000, false, 50);
    for (const end = Date.now() + 10_000; (await names()).length > 3 && Date.now() < end; ) await realTime.sleep(20);
    expect(await names()).toEqual(["/nobodys", "/open", "/other-node"]);
    for (const name of await names()) await docker.getContainer(name.slice(1)).remove({ v: true });
    expect((await docker.listVolumes()).Volumes ?? []).toEqual([]);
  });

  test("fifty containers start, are stopped, and leave nothing", async () => {
    const { docker, socketPath } = engine();
    const made = driver(socketPath);
    const tasks = Array.from({ length: 50 }, (_, i) => spec(`many-${i}`, `echo ${i}; exec sleep 1000`));
    const runs = await Promise.all(tasks.map((task) => made.start(task, context())));
    expect((await docker.listContainers()).length).toBe(50);
    await Promise.all(runs.map(async (run) => [await run.stop("SIGKILL", 1000), await run.destroy()]));
    expect(await docker.listContainers({ all: true })).toEqual([]);
    for (const [i, task] of tasks.entries()) expect(logOf(task)).toBe(`${i}\n`);
  }, 120_000);
});

describe("an engine that fails", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });
  const serve = (answer: Parameters<typeof createServer>[1]): Promise<string> => {
    const socket = join(dir, "engine.sock");
    server = createServer(answer as never);
    return new Promise((done) => server?.listen(socket, () => done(socket)));
  };

  test("one that is not there is not detected, and is once it is", async () => {
    const made = driver(join(dir, "engine.sock"));
    expect(await made.fingerprint()).toMatchObject({
      Detected: false,
      Healthy: false,
      HealthDescription: "Failed to connect to docker daemon",
    });
    await serve((request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(request.url?.startsWith("/info") ? '{"ServerVersion":"1.2.3","OSType":"linux","Runtimes":{"runc":{}}}' : "{}");
    });
    expect(await made.fingerprint()).toMatchObject({ Detected: true, Healthy: true, Attributes: { "driver.docker.version": "1.2.3" } });
    server?.closeAllConnections();
    await new Promise((done) => server?.close(done));
    expect(await made.fingerprint()).toMatchObject({ Detected: true, Healthy: false });
  });

  test("one that does not answer in time is told as slow, and what it refuses as its own words", async () => {
    const socket = await serve((request, response) => {
      if (request.url?.includes("/slow/")) return;
      response.statusCode = 400;
      response.end('{"message":"no way"}');
    });
    const { Engine } = await import("./engine/engine.js");
    const engine = new Engine({ endpoint: `unix://${socket}`, tls: testOptions.tls, callTimeoutMs: 100 }, {});
    const inspect = (id: string) => engine.call("inspect container", (docker) => docker.getContainer(id).inspect());
    await expect(inspect("slow")).rejects.toMatchObject({
      kind: "slow",
      recoverable: true,
      message: "inspect container: the Docker engine did not answer within 0.1 s",
    });
    await expect(inspect("x")).rejects.toMatchObject({ kind: "refused", recoverable: false, message: "inspect container: no way" });
    await expect(inspect("x")).rejects.toBeInstanceOf(DriverError);
  });

  test("an answer that breaks off is an error of the wait", async () => {
    const socket = await serve((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      setTimeout(() => response.destroy(), 20);
    });
    const { Engine } = await import("./engine/engine.js");
    const engine = new Engine({ endpoint: `unix://${socket}`, tls: testOptions.tls, callTimeoutMs: 1000 }, {});
    await expect(engine.wait("x", "not-running", new AbortController().signal)).rejects.toMatchObject({ kind: "unreachable" });
  });

  test("an endpoint that is none is told with what is wanted", () => {
    expect(() => driver("x", { endpoint: "ssh://somewhere" })).toThrow(
      'drivers.docker.endpoint: got "ssh://somewhere", want unix:///path or tcp://host:port',
    );
  });
});
