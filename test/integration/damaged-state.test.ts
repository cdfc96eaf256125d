import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { TestAgent } from "../support/agent.js";
import { allocd, runToEnd } from "../support/command.js";
import { isAlive } from "../support/host.js";
import { job, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const patient = "echo $$ > $NOMAD_TASK_DIR/pid; until [ -s $NOMAD_ALLOC_DIR/code ]; do sleep 0.02; done; exit $(cat $NOMAD_ALLOC_DIR/code)";
const once = "echo run >> $NOMAD_ALLOC_DIR/data/runs; exit 0";
const batch = (id: string, script: string, count = 1) => job(id, [shell("t", script)], { Type: "batch" }, { Count: count });

const stateOf = (agent: TestAgent): string => join(agent.dataDir, "state");
const database = (agent: TestAgent): string => join(stateOf(agent), "state.db");
const shared = (agent: TestAgent, id: string): string => join(agent.dataDir, "alloc", id, "alloc");
const pidOf = (agent: TestAgent, id: string): Promise<number> =>
  waitFor("a task's number", () => Number(readFileSync(join(agent.dataDir, "alloc", id, "t", "local", "pid"), "utf8")));
const indexOf = async (agent: TestAgent): Promise<number> => Number((await agent.get("/v1/allocations")).headers["x-nomad-index"]);
const runsOf = (agent: TestAgent, id: string): string => readFileSync(join(shared(agent, id), "data", "runs"), "utf8");

/** A task that runs and one that has ended. */
async function scene(agent: TestAgent) {
  await agent.register(job("service", [shell("t", patient)]));
  const [service] = await agent.untilAllocs("service", "to run", (list) => list.length === 1 && list[0].ClientStatus === "running");
  const done = await agent.run(batch("done", once), "complete");
  const pid = await pidOf(agent, service.ID);
  return { service, done, pid };
}

const recorded = (agent: TestAgent, id: string, status: string): Promise<boolean> =>
  waitFor(`the record to say ${status}`, () => {
    const file = join(agent.dataDir, "alloc", `${id}.state.json`);
    return existsSync(file) && readFileSync(file, "utf8").includes(`"ClientStatus":"${status}"`);
  });

const damages: readonly (readonly [string, (agent: TestAgent) => void])[] = [
  [
    "random bytes, and whose WAL is gone",
    (agent) => {
      writeFileSync(database(agent), Buffer.alloc(30_000, "garbage"));
      rmSync(`${database(agent)}-wal`, { force: true });
    },
  ],
  ["no bytes", (agent) => truncateSync(database(agent), 0)],
  [
    "a directory, and garbage for a WAL",
    (agent) => {
      rmSync(database(agent));
      mkdirSync(database(agent));
      writeFileSync(`${database(agent)}-wal`, "garbage");
    },
  ],
];

for (const [what, damage] of damages) {
  scenario(
    `a database that is ${what}, without a backup: the agent starts by itself, what runs is found and not started again, what has ended does not run again`,
    async (start) => {
      const agent = await start();
      const { service, done, pid } = await scene(agent);
      await Promise.all([recorded(agent, service.ID, "running"), recorded(agent, done.ID, "complete")]);
      const before = await indexOf(agent);
      await agent.kill();
      damage(agent);
      await agent.start();
      const { json } = await agent.get("/v1/agent/health");
      expect(json).toMatchObject({
        client: { ok: true },
        warnings: [expect.stringMatching(/damaged .*state\.corrupt-/), expect.stringContaining("2 allocations were taken up")],
      });
      expect(isAlive(pid)).toBe(true);
      const found = await agent.read(`/v1/allocation/${service.ID}`);
      expect([found.ClientStatus, found.TaskStates.t.State, found.TaskStates.t.Restarts]).toEqual(["running", "running", 0]);
      expect((await agent.read(`/v1/allocation/${done.ID}`)).ClientStatus).toBe("complete");
      expect(await pidOf(agent, service.ID)).toBe(pid);
      expect(runsOf(agent, done.ID)).toBe("run\n");
      expect((await agent.read("/v1/jobs")).map((one: { ID: string }) => one.ID)).toContain("service");
      // A poller of before is not left hanging.
      const began = performance.now();
      const answer = await agent.get(`/v1/allocations?index=${before}&wait=60s`);
      expect(Number(answer.headers["x-nomad-index"])).toBeGreaterThan(before);
      expect(performance.now() - began).toBeLessThan(5_000);
      // It is under control again, to its end.
      writeFileSync(join(shared(agent, service.ID), "code"), "7");
      const ended = await agent.untilAlloc(service.ID, "to have ended", (a) => a.ClientStatus === "failed");
      expect(ended.TaskStates.t.Events.find((event: { Type: string }) => event.Type === "Terminated").ExitCode).toBe(7);
    },
    60,
  );
}

scenario(
  "a damaged database with a backup that is older: the backup takes its place, and what happened since is in the records",
  async (start) => {
    const agent = await start({ config: { state: { backup_interval: "1s" } } });
    const { service, done, pid } = await scene(agent);
    const backups = join(stateOf(agent), "backups");
    const ended = await agent.run(batch("ends-later", patient));
    await waitFor("a backup", () => existsSync(backups) && readdirSync(backups).some((name) => name.endsWith("Z.db")), 20_000);
    const newest = (): string => readdirSync(backups).sort().at(-1) ?? "";
    const known = async (): Promise<boolean> => {
      const db = new Database(join(backups, newest()), { readonly: true });
      const ids = db.prepare("SELECT id FROM allocs").pluck().all();
      db.close();
      return [service, done, ended].every(({ ID }) => ids.includes(ID));
    };
    await waitFor("a backup with all in it", known, 20_000);
    await agent.stop();
    // What follows is newer than all backups that are there in the end.
    const kept = newest();
    await agent.start();
    writeFileSync(join(shared(agent, ended.ID), "code"), "3");
    await agent.untilAlloc(ended.ID, "to have ended", (a) => a.ClientStatus === "failed");
    const later = await agent.run(job("later", [shell("t", patient)]));
    const laterPid = await pidOf(agent, later.ID);
    await Promise.all([recorded(agent, ended.ID, "failed"), recorded(agent, later.ID, "running")]);
    const before = await indexOf(agent);
    await agent.kill();
    for (const name of readdirSync(backups)) if (name > kept) rmSync(join(backups, name));
    const bytes = readFileSync(database(agent));
    bytes.fill(0x77, 4_096);
    writeFileSync(database(agent), bytes);
    rmSync(`${database(agent)}-wal`, { force: true });

    await agent.start();
    const { warnings } = (await agent.get("/v1/agent/health")).json;
    expect(warnings[0]).toContain(`the backup ${join(backups, kept)} took its place`);
    expect([pid, laterPid].map(isAlive)).toEqual([true, true]);
    const statuses = await Promise.all(
      [service, done, ended, later].map(async ({ ID }) => (await agent.read(`/v1/allocation/${ID}`)).ClientStatus),
    );
    expect(statuses).toEqual(["running", "complete", "failed", "running"]);
    expect(runsOf(agent, done.ID)).toBe("run\n");
    const { TaskStates } = await agent.read(`/v1/allocation/${ended.ID}`);
    expect(
      TaskStates.t.Events.filter((event: { Type: string }) => event.Type === "Terminated").map(
        (event: { ExitCode: number }) => event.ExitCode,
      ),
    ).toEqual([3]);
    expect(await indexOf(agent)).toBeGreaterThan(before);
    // The evaluation of the jobs that follows leaves all as it is.
    expect(
      (await agent.read("/v1/job/later/allocations")).map((a: { ID: string; DesiredStatus: string }) => [a.ID, a.DesiredStatus]),
    ).toEqual([[later.ID, "run"]]);
    expect(
      (await agent.read("/v1/job/service/allocations")).map((a: { ID: string; DesiredStatus: string }) => [a.ID, a.DesiredStatus]),
    ).toEqual([[service.ID, "run"]]);
  },
  90,
);

scenario("a database of a later allocd is refused in one line, and nothing is touched", async (start) => {
  const agent = await start();
  await agent.stop();
  const db = new Database(database(agent));
  db.pragma("user_version = 999");
  db.close();
  const files = (): readonly (readonly [string, string])[] =>
    readdirSync(stateOf(agent))
      .sort()
      .filter((name) => name.startsWith("state"))
      .map((name) => [name, readFileSync(join(stateOf(agent), name), "base64")]);
  const before = files();
  const { code, stderr, stdout } = await runToEnd(allocd, ["agent", "--config", agent.configFile]);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(
    /^allocd: data_dir: .*state\.db is of version 999, written by a later allocd; this one knows versions up to \d+\. .*\n$/,
  );
  expect(files()).toEqual(before);
  const back = new Database(database(agent));
  back.pragma(`user_version = ${Number(/up to (\d+)/.exec(stderr)?.[1])}`);
  back.close();
});

scenario("a host's state moves to another one: export while it runs, import where there is none, and all is there", async (start) => {
  const agent = await start();
  const { service, done } = await scene(agent);
  const file = join(agent.root, "state.jsonl");
  const exported = await runToEnd(allocd, ["state", "export", file, "--config", agent.configFile]);
  expect([exported.code, exported.stdout]).toEqual([0, expect.stringMatching(/state\.jsonl: \d+ rows of \d+ tables, the state of /)]);
  const refused = await runToEnd(allocd, ["state", "import", file, "--config", agent.configFile]);
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(/^allocd: data_dir: .* holds alloc, .*; a state is imported into an empty one only\n$/),
  ]);
  const missing = await runToEnd(allocd, ["state", "export", file, "--data-dir", join(agent.root, "none")]);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringMatching(/^allocd: .*there is no state\n$/)]);

  const other = await start();
  await other.stop();
  rmSync(other.dataDir, { recursive: true });
  const imported = await runToEnd(allocd, ["state", "import", file, "--config", other.configFile]);
  expect([imported.code, imported.stderr]).toEqual([0, ""]);
  await other.start();
  expect((await other.read("/v1/jobs")).map((one: { ID: string }) => one.ID).sort()).toEqual(["done", "service"]);
  expect((await other.read(`/v1/allocation/${done.ID}`)).ClientStatus).toBe("complete");
  // Its task does not run here: that is found, and its restart policy says what comes of it.
  const moved = await other.untilAlloc(service.ID, "to be found lost", (a) =>
    a.TaskStates.t.Events.some((event: { Type: string }) => event.Type === "Terminated"),
  );
  expect(moved.TaskStates.t.Events.find((event: { Type: string }) => event.Type === "Terminated").DisplayMessage).toContain("unknown: ");
  expect((await other.read("/v1/nodes"))[0].ID).toBe((await agent.read("/v1/nodes"))[0].ID);
});
