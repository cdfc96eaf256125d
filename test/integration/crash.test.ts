import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { TestAgent } from "../support/agent.js";
import { isAlive, processesAbout } from "../support/host.js";
import { job, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

/** What these tests read of an allocation. */
interface Stub {
  readonly ID: string;
  readonly Name: string;
  readonly ClientStatus: string;
  readonly TaskStates: {
    readonly t: { readonly StartedAt: string; readonly Restarts: number; readonly Events: readonly { Type: string; ExitCode: number }[] };
  };
}

const place = (a: Stub): number => Number(/\[(\d+)\]$/.exec(a.Name)?.[1]);
const shared = (agent: TestAgent, a: Stub): string => join(agent.dataDir, "alloc", a.ID, "alloc");

/** The whole log of a task, over all its files. */
function logOf(agent: TestAgent, a: Stub): string {
  const dir = join(shared(agent, a), "logs");
  return readdirSync(dir)
    .filter((file) => file.startsWith("t.stdout."))
    .sort((x, y) => Number(x.split(".").at(-1)) - Number(y.split(".").at(-1)))
    .map((file) => readFileSync(join(dir, file), "utf8"))
    .join("");
}

/** Says its number, counts until it is told to end, and has an exit code of its own. */
const counting =
  "echo pid $$; n=0; until [ -e $NOMAD_ALLOC_DIR/end ]; do n=$((n+1)); echo line $n; sleep 0.01; done; echo last of $n; exit $((100 + NOMAD_ALLOC_INDEX))";

/** Starts some that count. @returns them with their process ids. */
async function choir(agent: TestAgent, count: number): Promise<{ readonly all: readonly Stub[]; readonly pids: readonly number[] }> {
  await agent.register(job("choir", [shell("t", counting)], { Type: "batch" }, { Count: count }));
  const isRunning = (list: readonly Stub[]): boolean => list.length === count && list.every((a) => a.ClientStatus === "running");
  const all: readonly Stub[] = await agent.untilAllocs("choir", "to run", isRunning);
  const pidOf = (a: Stub): Promise<number> =>
    waitFor("a task to say its number", () => Number(/^pid (\d+)$/m.exec(logOf(agent, a))?.[1] ?? 0));
  return { all, pids: await Promise.all(all.map(pidOf)) };
}

/** Every one writes more than it has written so far. */
async function allGoOn(agent: TestAgent, all: readonly Stub[]): Promise<void> {
  const before = all.map((a) => logOf(agent, a).length);
  await waitFor("all to go on writing", () => all.every((a, i) => logOf(agent, a).length > (before[i] ?? 0)));
}

/** Lets all end and checks that each was one run with the right end. */
async function endChoir(agent: TestAgent, all: readonly Stub[]): Promise<void> {
  for (const a of all) writeFileSync(join(shared(agent, a), "end"), "");
  const after: readonly Stub[] = await agent.untilAllocs("choir", "to end", (list) => list.every((a) => a.ClientStatus === "failed"));
  expect(after).toHaveLength(all.length);
  for (const a of after) expect(storyOf(a)).toEqual(oneRun(a, 100 + place(a)));
}

const storyOf = ({ Name, TaskStates: { t } }: Stub) => ({
  Name,
  restarts: t.Restarts,
  starts: t.Events.filter((event) => event.Type === "Started").length,
  codes: t.Events.filter((event) => event.Type === "Terminated").map((event) => event.ExitCode),
});
const oneRun = ({ Name }: Stub, code: number) => ({ Name, restarts: 0, starts: 1, codes: [code] });

/** The log of one that counts, without gap or doubling. */
const counted = (pid: number, lines: number): string =>
  [`pid ${pid}`, ...Array.from({ length: lines }, (_, i) => `line ${i + 1}`), `last of ${lines}`, ""].join("\n");

scenario(
  "kill -9 of the agent at 15 random moments, while tasks run, start and end: none is lost, restarted or run twice, and every exit code and log byte is there",
  async (start) => {
    // All logs are read at the end.
    const agent = await start({ config: { client: { gc_max_allocs: 1_000 } } });
    const { all, pids } = await choir(agent, 8);
    const perRound = 4;
    const short = (round: number) =>
      job(
        `short-${round}`,
        [shell("t", "echo run $$; sleep 0.0$NOMAD_ALLOC_INDEX; echo done; exit $((10 + NOMAD_ALLOC_INDEX))")],
        { Type: "batch" },
        { Count: perRound },
      );
    const rounds = Array.from({ length: 15 }, (_, round) => round);
    for (const round of rounds) {
      // Some die before it is accepted, some while it is started, some while it ends.
      const registered = agent.register(short(round)).then(
        () => true,
        () => false,
      );
      await pause(Math.random() * 250);
      await agent.kill();
      const wasAnswered = await registered;
      expect(pids.map(isAlive)).not.toContain(false);
      await agent.start();
      const accepted = await agent.read(`/v1/job/short-${round}/allocations`);
      if (wasAnswered) expect(accepted).toHaveLength(perRound);
      await agent.register(short(round));
    }
    for (const round of rounds) {
      const ended: readonly Stub[] = await agent.untilAllocs(
        `short-${round}`,
        "to end",
        (list) => list.length > 0 && list.every((a) => a.ClientStatus === "failed"),
      );
      expect(ended.map(place).sort()).toEqual([0, 1, 2, 3]);
      for (const a of ended) {
        expect(storyOf(a)).toEqual(oneRun(a, 10 + place(a)));
        expect(logOf(agent, a)).toMatch(/^run \d+\ndone\n$/);
      }
    }
    await endChoir(agent, all);
    all.forEach((a, i) => {
      const log = logOf(agent, a);
      expect(log).toBe(counted(pids[i] ?? 0, Number(/^last of (\d+)$/m.exec(log)?.[1])));
    });
  },
  90,
);

scenario(
  "kill -9 of the shim, five times alone and five times with the agent, under 20 chatty tasks: none ends or restarts, exit codes are right, nothing is doubled and at most what a pipe holds is lost",
  async (start) => {
    const agent = await start();
    const { all, pids } = await choir(agent, 20);
    const shimPid = (): Promise<number> =>
      waitFor("a shim", () => processesAbout(agent.root).find(({ command }) => command.includes("/shim/main.js"))?.pid);
    const kills = 10;
    for (let round = 0; round < kills; round++) {
      const withAgent = round % 2 === 1;
      process.kill(await shimPid(), "SIGKILL");
      if (withAgent) {
        await agent.kill();
        await agent.start();
      }
      await allGoOn(agent, all);
      expect(pids.map(isAlive)).not.toContain(false);
    }
    await endChoir(agent, all);
    let lost = 0;
    for (const a of all) {
      const log = logOf(agent, a);
      const written = counted(Number(/^pid (\d+)$/m.exec(log)?.[1]), Number(/^last of (\d+)$/m.exec(log)?.[1]));
      lost += written.length - log.length;
      const numbers = [...log.matchAll(/^line (\d+)$/gm)].map(([, number]) => Number(number));
      expect(numbers).toEqual([...new Set(numbers)].sort((x, y) => x - y));
    }
    // No task writes that much in the whole test: what is lost is what a shim had read and not yet written.
    expect(lost).toBeLessThan(kills * 1024);
    expect(lost).toBeGreaterThanOrEqual(0);
  },
  90,
);
