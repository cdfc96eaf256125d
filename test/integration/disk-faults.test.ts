import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestAgent } from "../support/agent.js";
import { allocd, environment, freePort } from "../support/command.js";
import { isAlive, processesAbout } from "../support/host.js";
import { ask } from "../support/http.js";
import { job, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { FailingDisk, SmallDisk } from "../support/small-disk.js";
import { waitFor } from "../support/wait.js";

/** Runs until it is told how to end, and says its number. */
const patient = "echo pid $$; until [ -s $NOMAD_ALLOC_DIR/code ]; do sleep 0.02; done; exit $(cat $NOMAD_ALLOC_DIR/code)";
/** Says a line of a hundred bytes every hundredth of a second. */
const chatty = "n=0; while :; do n=$((n+1)); printf '%099d\\n' $n; sleep 0.01; done";

const batch = (id: string, script: string, count = 1) => job(id, [shell("t", script)], { Type: "batch" }, { Count: count });
const shared = (agent: TestAgent, id: string): string => join(agent.dataDir, "alloc", id, "alloc");

function logOf(agent: TestAgent, id: string): string {
  const dir = join(shared(agent, id), "logs");
  return readdirSync(dir)
    .filter((file) => file.startsWith("t.stdout."))
    .sort((x, y) => Number(x.split(".").at(-1)) - Number(y.split(".").at(-1)))
    .map((file) => readFileSync(join(dir, file), "latin1"))
    .join("");
}

const pidOf = (agent: TestAgent, id: string): Promise<number> =>
  waitFor("a task to say its number", () => Number(/^pid (\d+)$/m.exec(logOf(agent, id))?.[1] ?? 0));

const health = async (agent: TestAgent) => agent.get("/v1/agent/health");
const untilDegraded = (agent: TestAgent, reason: RegExp) =>
  waitFor("the agent to say that it is degraded", async () => {
    const { status, json } = await health(agent);
    return status === 500 && reason.test(json.client.message) && json.client;
  });
const untilWell = (agent: TestAgent) => waitFor("the agent to be well", async () => (await health(agent)).status === 200, 20_000);
const indexOf = async (agent: TestAgent): Promise<number> => Number((await agent.get("/v1/allocations")).headers["x-nomad-index"]);

scenario(
  "a full disk below the state: the agent stays up, says so, refuses new work with 507, tasks go on, and what they did meanwhile is there once there is room, over a kill -9 too",
  async (start) => {
    let disk: SmallDisk | undefined;
    const agent = await start({
      prepare: ({ dataDir }) => {
        disk = new SmallDisk(join(dataDir, "state"), 48);
      },
    });
    try {
      await agent.register(batch("work", patient, 4));
      const all = await agent.untilAllocs("work", "to run", (list) => list.length === 4 && list.every((a) => a.ClientStatus === "running"));
      const pids = await Promise.all(all.map(({ ID }) => pidOf(agent, ID)));
      // The reserve is made when the store has been idle for a moment.
      await waitFor("the reserve", () => readdirSync(join(agent.dataDir, "state")).includes("reserve"));
      const before = await indexOf(agent);

      disk?.fill();
      // A job refused is nothing half done.
      await waitFor("new work to be refused", async () => (await agent.put("/v1/jobs", { Job: batch("refused", patient) })).status === 507);
      expect(await untilDegraded(agent, /full/)).toMatchObject({ ok: false, message: expect.stringMatching(/^degraded: .*full/) });
      const refused = await agent.put("/v1/jobs", { Job: batch("refused", patient) });
      expect([refused.status, refused.text]).toEqual([507, expect.stringMatching(/^the state can not be written: .*full/)]);
      expect((await agent.get("/v1/job/refused")).status).toBe(404);
      expect(pids.map(isAlive)).toEqual([true, true, true, true]);

      // Two end while nothing can be written, one while no agent is there either.
      writeFileSync(join(shared(agent, all[0].ID), "code"), "11");
      writeFileSync(join(shared(agent, all[1].ID), "code"), "12");
      await waitFor("two tasks to end", () => pids.slice(0, 2).every((pid) => !isAlive(pid)));
      await agent.kill();
      writeFileSync(join(shared(agent, all[2].ID), "code"), "13");
      await waitFor("a third task to end", () => !isAlive(pids[2] as number));
      await agent.start(500);
      expect(await untilDegraded(agent, /full/)).toMatchObject({ ok: false });
      expect(isAlive(pids[3] as number)).toBe(true);
      expect((await agent.read("/v1/job/work/allocations")).length).toBe(4);

      disk?.drain();
      await untilWell(agent);
      const after = await agent.untilAllocs(
        "work",
        "to have ended",
        (list) => list.filter((a) => a.ClientStatus === "failed").length === 3,
      );
      const codes = all.slice(0, 3).map(({ ID }) =>
        after
          .find((a) => a.ID === ID)
          .TaskStates.t.Events.filter((event: { Type: string }) => event.Type === "Terminated")
          .map((event: { ExitCode: number }) => event.ExitCode),
      );
      expect(codes).toEqual([[11], [12], [13]]);
      expect(after.map((a) => a.TaskStates.t.Events.filter((event: { Type: string }) => event.Type === "Started").length)).toEqual([
        1, 1, 1, 1,
      ]);
      expect(isAlive(pids[3] as number)).toBe(true);
      expect(await indexOf(agent)).toBeGreaterThan(before);
      await agent.run(batch("welcome", "exit 0"), "complete");
    } finally {
      disk?.drain();
      disk?.unmount();
    }
  },
  90,
);

scenario(
  "a full disk below the logs: the task goes on, the loss is counted in an event, new work is refused with 507, and the log goes on when there is room",
  async (start) => {
    let disk: SmallDisk | undefined;
    const agent = await start({
      prepare: ({ dataDir }) => {
        disk = new SmallDisk(join(dataDir, "alloc"), 8);
      },
    });
    try {
      const { ID } = await agent.run(batch("chatty", chatty));
      await waitFor("some output", () => logOf(agent, ID).length > 1_000);
      disk?.fill();
      expect(await untilDegraded(agent, /ENOSPC/)).toMatchObject({ message: expect.stringContaining(join(agent.dataDir, "alloc")) });
      const refused = await agent.put("/v1/jobs", { Job: batch("refused", patient) });
      expect([refused.status, refused.text]).toEqual([507, expect.stringMatching(/^no new work is taken: .*ENOSPC/)]);
      const lost = await agent.untilAlloc(ID, "to say that output is lost", (a) =>
        a.TaskStates.t.Events.some((event: { DisplayMessage: string }) => /^Output of stdout is lost: ENOSPC/.test(event.DisplayMessage)),
      );
      expect(lost.ClientStatus).toBe("running");
      // A task that is not wanted any more can be stopped all the same.
      const held = logOf(agent, ID).length;

      disk?.drain();
      await waitFor("the log to go on", () => logOf(agent, ID).length > held + 1_000);
      const told = await agent.untilAlloc(ID, "to say how much was lost", (a) =>
        a.TaskStates.t.Events.some((event: { DisplayMessage: string }) => /bytes of stdout were lost/.test(event.DisplayMessage)),
      );
      const events = told.TaskStates.t.Events.map((event: { DisplayMessage: string }) => event.DisplayMessage);
      const [, bytes] = /^(\d+) bytes of stdout were lost: ENOSPC/.exec(events.at(-1)) ?? [];
      await untilWell(agent);
      await agent.delete("/v1/job/chatty");
      await agent.untilAllocs("chatty", "to have ended", ([a]) => a.ClientStatus === "complete" || a.ClientStatus === "failed");
      // What is in the log and what was lost is all that the task has said: each line has its number and 100 bytes.
      const log = logOf(agent, ID);
      const last = Number(/(\d+)\n$/.exec(log)?.[1]);
      expect(log.length + Number(bytes)).toBe(last * 100);
    } finally {
      disk?.drain();
      disk?.unmount();
    }
  },
  90,
);

scenario(
  "a device below the state that fails: the agent stays up and degraded, tasks go on, and on a new disk they are found again by their records",
  async (start) => {
    let disk: FailingDisk | undefined;
    const agent = await start({
      prepare: ({ dataDir, root }) => {
        disk = new FailingDisk(join(dataDir, "state"), join(root, "device"));
      },
    });
    try {
      await agent.register(job("work", [shell("t", patient)]));
      const [alloc] = await agent.untilAllocs("work", "to run", (list) => list.length === 1 && list[0].ClientStatus === "running");
      const pid = await pidOf(agent, alloc.ID);
      const done = await agent.run(batch("done", "exit 0"), "complete");
      disk?.fail();
      let tries = 0;
      await waitFor("the device to fail", async () => {
        const answer = await agent.put("/v1/jobs", { Job: batch(`more-${++tries}`, `: ${"x".repeat(60_000)}`) });
        return answer.status === 507;
      });
      const { message } = await untilDegraded(agent, /./);
      expect(message).toMatch(/I\/O error|read-only|EIO|EROFS/);
      expect(isAlive(pid)).toBe(true);
      expect((await agent.get(`/v1/allocation/${alloc.ID}`)).json.ClientStatus).toBe("running");
      const before = await indexOf(agent);
      await agent.kill();
      disk?.unmount();

      await agent.start();
      const after = await agent.read(`/v1/allocation/${alloc.ID}`);
      expect([after.ClientStatus, after.DesiredStatus, after.TaskStates.t.Restarts]).toEqual(["running", "run", 0]);
      expect(isAlive(pid)).toBe(true);
      expect((await agent.read(`/v1/allocation/${done.ID}`)).ClientStatus).toBe("complete");
      expect(await indexOf(agent)).toBeGreaterThan(before);
      expect((await health(agent)).json.warnings).toEqual([expect.stringContaining("allocations were taken up from their records")]);
      // The job came with it, and takes it for its own.
      expect((await agent.read("/v1/job/work/allocations")).map((a: { ID: string }) => a.ID)).toEqual([alloc.ID]);
    } finally {
      disk?.unmount();
    }
  },
  90,
);

test("a full disk below the agent's own log does not end it", async () => {
  const root = mkdtempSync(join(tmpdir(), "allocd-log-"));
  const port = await freePort();
  const full = openSync("/dev/full", "w");
  const options = ["--port", String(port), "--data-dir", join(root, "data")];
  const env = environment({ ALLOCD_LOG_LEVEL: "trace", ALLOCD_RUNTIME_DIR: join(root, "run") });
  const agent = spawn(allocd, ["agent", ...options], { env, stdio: ["ignore", full, full] });
  closeSync(full);
  try {
    await waitFor("the agent to answer", async () => (await ask(`http://127.0.0.1:${port}/v1/agent/health`, "GET")).status === 200);
    expect((await ask(`http://127.0.0.1:${port}/v1/nodes`, "GET")).status).toBe(200);
    expect(agent.exitCode).toBeNull();
  } finally {
    const ended = new Promise((done) => agent.once("exit", done));
    agent.kill("SIGTERM");
    await ended;
    await waitFor("the shim to end", () => {
      const left = processesAbout(root);
      for (const { pid } of left) process.kill(pid, "SIGTERM");
      return left.length === 0;
    });
    rmSync(root, { recursive: true });
  }
}, 30_000);
