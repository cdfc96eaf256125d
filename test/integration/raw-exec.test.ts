import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestAgent } from "../support/agent.js";
import { cgroupsIn, cgroupsNamed, isAlive, openFiles, processesAbout } from "../support/host.js";
import { job, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

/** What these tests read of an allocation. */
interface Stub {
  readonly ID: string;
  readonly Name: string;
  readonly ClientStatus: string;
  readonly TaskStates: {
    readonly t: {
      readonly StartedAt: string;
      readonly Restarts: number;
      readonly Events: readonly { readonly Type: string; readonly ExitCode: number }[];
    };
  };
}

const logsOf = async (agent: TestAgent, id: string, task = "t"): Promise<string> =>
  (await agent.get(`/v1/client/fs/logs/${id}?task=${task}&type=stdout&plain=true`)).text;

const pidOf = (agent: TestAgent, id: string, task = "t"): Promise<number> =>
  waitFor(`${task} to say its process id`, async () => Number(/^pid (\d+)\r?$/m.exec(await logsOf(agent, id, task))?.[1]));

const saysPid = (name: string, more = {}) => shell(name, "echo pid $$; exec sleep 1000", more);

scenario("a task has descriptors 0, 1 and 2 and nothing else, while terminals of others are open", async (start) => {
  const agent = await start();
  const terminal = (name: string) =>
    saysPid(name, { Config: { command: "/bin/sh", args: ["-c", "echo pid $$; exec sleep 1000"], tty: true } });
  const first = await agent.run(job("terminals", [terminal("a"), terminal("b"), terminal("c")]));
  for (const task of ["a", "b", "c"]) await pidOf(agent, first.ID, task);
  const plain = await agent.run(job("plain", [saysPid("t")]));
  const late = await agent.run(job("late", [terminal("t")]));

  const plainFiles = openFiles(await pidOf(agent, plain.ID));
  expect(plainFiles.map(({ fd }) => fd)).toEqual([0, 1, 2]);
  expect(plainFiles.filter(({ target }) => /pts|ptmx|socket:|\.db/.test(target))).toEqual([]);

  const lateFiles = openFiles(await pidOf(agent, late.ID));
  expect(lateFiles.map(({ fd }) => fd)).toEqual([0, 1, 2]);
  expect(new Set(lateFiles.map(({ target }) => target)).size).toBe(1);
  expect(lateFiles[0]?.target).toMatch(/^\/dev\/pts\/\d+$/);
});

scenario(
  "kill -9 of the agent with 20 chatty tasks: all go on, no restart, no line missing, and the exit codes of those that ended meanwhile are right",
  async (start) => {
    const agent = await start();
    // Each counts until the test tells it to end, with a code of its own.
    const script =
      "echo pid $$; n=0; until [ -e $NOMAD_ALLOC_DIR/end ]; do n=$((n+1)); echo line $n; sleep 0.01; done; echo last of $n; exit $((100 + NOMAD_ALLOC_INDEX))";
    await agent.register(job("choir", [shell("t", script)], { Type: "batch" }, { Count: 20 }));
    const running = (list: readonly Stub[]): boolean => list.length === 20 && list.every((a) => a.ClientStatus === "running");
    const before: readonly Stub[] = await agent.untilAllocs("choir", "to run", running);
    const pids = new Map(await Promise.all(before.map(async (a) => [a.ID, await pidOf(agent, a.ID)] as const)));
    const pidsAlive = (list: readonly Stub[]): readonly boolean[] => list.map((a) => isAlive(pids.get(a.ID) ?? 0));
    const shared = (a: Stub): string => join(agent.dataDir, "alloc", a.ID, "alloc");
    const lines = (a: Stub): readonly string[] =>
      readdirSync(join(shared(a), "logs"))
        .filter((file) => file.startsWith("t.stdout."))
        .sort((x, y) => Number(x.split(".").at(-1)) - Number(y.split(".").at(-1)))
        .flatMap((file) => readFileSync(join(shared(a), "logs", file), "utf8").split("\n"))
        .filter((line) => line !== "");
    const end = (a: Stub): void => writeFileSync(join(shared(a), "end"), "");
    const ending = before.filter((_, i) => i % 4 === 0);
    const living = before.filter((_, i) => i % 4 !== 0);

    await agent.kill();
    // They are chatty while nobody is there, and what they say is kept.
    const heard = new Map(before.map((a) => [a.ID, lines(a).length]));
    await waitFor("all to go on writing", () => before.every((a) => lines(a).length > (heard.get(a.ID) ?? 0) + 20));
    for (const a of ending) end(a);
    await waitFor("some to end", () => !pidsAlive(ending).includes(true));
    expect(pidsAlive(living)).not.toContain(false);

    await agent.start();
    const found = await agent.untilAllocs("choir", "to be known as they are", (list) =>
      list.every((a) => a.ClientStatus === (ending.some(({ ID }) => ID === a.ID) ? "failed" : "running")),
    );
    expect(found).toHaveLength(20);
    expect(pidsAlive(living)).not.toContain(false);
    for (const a of living) end(a);
    const after: readonly Stub[] = await agent.untilAllocs("choir", "to end", (list) => list.every((a) => a.ClientStatus === "failed"));

    const story = (a: Stub) => ({ id: a.ID, started: a.TaskStates.t.StartedAt, restarts: a.TaskStates.t.Restarts });
    expect(after.map(story)).toEqual(before.map(story));
    for (const a of after) {
      const codes = a.TaskStates.t.Events.filter((event) => event.Type === "Terminated").map((event) => event.ExitCode);
      expect([a.Name, codes]).toEqual([a.Name, [100 + Number(/\[(\d+)\]$/.exec(a.Name)?.[1])]]);
      const [first, ...rest] = lines(a);
      const counted = rest.length - 1;
      expect([first, ...rest]).toEqual([
        `pid ${pids.get(a.ID)}`,
        ...Array.from({ length: counted }, (_, i) => `line ${i + 1}`),
        `last of ${counted}`,
      ]);
    }
  },
  90,
);

scenario(
  "200 allocations at once start, are listed, stopped and purged, with no process, descriptor, cgroup or directory left",
  async (start) => {
    const agent = await start();
    const warm = await agent.run(job("warm", [shell("t", "exec sleep 1000")]));
    await agent.delete("/v1/job/warm");
    await agent.untilAlloc(warm.ID, "to end", (a) => a.ClientStatus === "complete");
    await agent.delete("/v1/job/warm?purge=true");
    const files = (): number => processesAbout(agent.root).reduce((sum, { pid }) => sum + openFiles(pid).length, 0);
    const settled = await waitFor(
      "agent, shim and launcher alone",
      () => processesAbout(agent.root).length <= 3 && { files: files(), processes: processesAbout(agent.root).length },
    );

    const many = job("many", [shell("t", "exec sleep 1000", { Resources: { CPU: 1, MemoryMB: 10 } })], {}, { Count: 200 });
    await agent.register(many);
    const all = await agent.untilAllocs(
      "many",
      "to run",
      (list) => list.length === 200 && list.every((a) => a.ClientStatus === "running"),
      60_000,
    );
    expect(new Set(all.map((a) => a.Name)).size).toBe(200);
    expect((await agent.read("/v1/allocations")).filter((a: { JobID: string }) => a.JobID === "many")).toHaveLength(200);

    await agent.delete("/v1/job/many");
    await agent.untilAllocs("many", "to have ended", (list) => list.every((a) => a.ClientStatus === "complete"), 60_000);
    await agent.delete("/v1/job/many?purge=true");

    await waitFor("the processes to be gone", () => processesAbout(agent.root).length <= settled.processes);
    await waitFor("the directories to be gone", () => all.every((a) => !existsSync(join(agent.dataDir, "alloc", a.ID))));
    expect(
      cgroupsNamed(agent.cgroupParent)
        .flatMap(cgroupsIn)
        .filter((path) => all.some((a) => path.includes(a.ID))),
    ).toEqual([]);
    // Connections of this test may still be closing.
    await waitFor("the descriptors to be closed", () => files() <= settled.files + 2);
    expect(await agent.read("/v1/allocations")).toEqual([]);
  },
  180,
);
