import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LogConfig } from "../../agent/model/job.js";
import type { TaskSpec } from "../driver.js";
import { ShimFixture } from "../shim/testing/shim-fixture.js";
import { RawExecDriver } from "./driver.js";

let shim: ShimFixture;
beforeAll(async () => {
  shim = await ShimFixture.start();
});
afterAll(async () => {
  expect(await shim.close()).toEqual([]);
});

const driver = (): RawExecDriver =>
  new RawExecDriver(shim.client, {
    enabled: true,
    deniedEnvvars: [],
    deniedUids: [],
    deniedGids: [],
    cgroupParent: shim.slice,
    searchPath: "/usr/bin:/bin",
    hostEnv: {},
    now: () => 0n,
  });

function spec(task: string, script: string, change: Partial<TaskSpec> = {}): TaskSpec {
  const own = join(shim.dir, "alloc", task);
  const dirs = {
    alloc: shim.dir,
    shared: shim.dir,
    logs: shim.logDir,
    task: own,
    local: join(own, "local"),
    secrets: join(own, "secrets"),
  };
  mkdirSync(dirs.local, { recursive: true });
  return {
    allocId: "a",
    task,
    runId: `a.${task}.1`,
    config: { command: "/bin/sh", args: ["-c", script] },
    user: "",
    env: { PATH: "/usr/bin:/bin" },
    dirs,
    mounts: [],
    logs: { MaxFiles: 1, MaxFileSizeMB: 1, Disabled: false } as LogConfig,
    resources: { cpuShares: 10, memoryMB: 50, memoryMaxMB: 0, cores: [] },
    network: { mode: "host", ports: [], taskPorts: null },
    job: { namespace: "default", id: "j", name: "j", parentId: "", group: "g" },
    ...change,
  };
}

test("a task whose user is gone, or whose config can not be worked out any more, is found all the same", async () => {
  const given = spec("kept", "exec sleep 1000");
  const run = await driver().start(given);
  const later = { ...given, user: "no-such-user", config: { command: "/bin/sh", work_dir: "${meta.gone}" } };
  const recovery = await driver().recover(run.state, later);
  expect(recovery).toMatchObject({ outcome: "found", run: { runId: "a.kept.1" } });
  if (recovery.outcome !== "found") return;
  // Commands beside it run where and as whom the task does, not as the agent's best guess.
  const said: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    recovery.run
      .exec(
        { sessionId: "pwd", command: ["pwd"], tty: null },
        { output: (_, bytes) => said.push(Buffer.from(bytes)), closed: () => {}, exited: () => resolve() },
      )
      .catch(reject);
  });
  expect(Buffer.concat(said).toString()).toBe(`${given.dirs.task}\n`);
  await recovery.run.stop("", 0);
  await recovery.run.destroy();
});

test("a run that was started by an agent that did not come to store it is found", async () => {
  const given = spec("unstored", "exit 4");
  await driver().start(given);
  const recovery = await driver().recover(null, given);
  if (recovery.outcome !== "found") throw new Error(recovery.reason);
  expect(await recovery.run.exited).toMatchObject({ exitCode: 4 });
  await recovery.run.destroy();
  expect(await driver().recover(null, given)).toMatchObject({ outcome: "lost" });
});

test("what is left of a forgotten allocation is removed, and nothing of others", async () => {
  await driver().start(spec("gone", "exit 0", { allocId: "b", runId: "b.gone.1" }));
  const run = await driver().start(spec("stays", "exec sleep 1000"));
  await driver().removeForgotten({ isOpen: () => false, isRemoved: (id) => id === "b" });
  expect((await shim.client.list()).runs.map(({ runId }) => runId)).toEqual(["a.stays.1"]);
  await run.stop("", 0);
  await run.destroy();
});

test.each(["a:b", "line\nend", "100%", "*"])("a task may be called %j", async (name) => {
  const given = spec(name, "cat /proc/self/cgroup", { logs: { MaxFiles: 1, MaxFileSizeMB: 1, Disabled: true } as LogConfig });
  const run = await driver().start(given);
  expect(await run.exited).toMatchObject({ exitCode: 0, error: "" });
  await run.destroy();
});
