import type { ResourceSample, TaskRun } from "../../drivers/driver.js";
import { AllocStats } from "./alloc-stats.js";
import { FakeClock } from "./testing/fake-clock.js";

const sample = (cpuMs: number, rss: number): ResourceSample => ({ userCpuNs: cpuMs * 1e6, systemCpuNs: 0, memory: { RSS: rss, Swap: 0 } });

/** A run whose process has used the next of `used` milliseconds of CPU each time that it is looked at. */
function aRun(runId: string, used: number[], rss = 100): TaskRun {
  const usage = async () => {
    const ms = used.shift();
    if (ms === undefined) throw new Error("it has ended");
    return { total: sample(ms, rss), processes: { "7": sample(ms, rss) } };
  };
  return { runId, usage } as unknown as TaskRun;
}

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});

/** Asks, and lets the time pass that lies between two samples. */
async function ask(stats: AllocStats, task = "", sleepers = 1) {
  const answer = stats.of("alloc", task);
  while (clock.sleeping < sleepers) await Promise.resolve();
  await clock.advance(100);
  return answer;
}

test("CPU is what was used between two samples, of one core; memory is what it is now", async () => {
  const stats = new AllocStats({ runs: () => new Map([["t", aRun("r", [1_000, 1_050])]]), coreMhz: () => 2_000, clock });
  const { Tasks, ResourceUsage } = await ask(stats);
  expect(Tasks.t?.ResourceUsage.CpuStats).toMatchObject({ Percent: 50, UserMode: 50, SystemMode: 0, TotalTicks: 1_000 });
  expect(Tasks.t?.ResourceUsage.MemoryStats).toMatchObject({ RSS: 100, Measured: ["RSS", "Swap"] });
  expect(Tasks.t?.Pids?.["7"]?.CpuStats.Percent).toBe(50);
  expect(ResourceUsage.CpuStats.Percent).toBe(50);
});

test("all tasks are summed up, one that is asked for stands alone, an unknown one is nothing", async () => {
  const runs = () =>
    new Map([
      ["a", aRun("a", [0, 10], 1)],
      ["b", aRun("b", [0, 30], 2)],
    ] as const);
  const stats = new AllocStats({ runs, coreMhz: () => 1_000, clock });
  const all = await ask(stats, "", 2);
  expect(all.ResourceUsage.CpuStats.Percent).toBe(40);
  expect(all.ResourceUsage.MemoryStats.RSS).toBe(3);
  expect(Object.keys((await ask(new AllocStats({ runs, coreMhz: () => 1_000, clock }), "b")).Tasks)).toEqual(["b"]);
  expect(await stats.of("alloc", "c")).toMatchObject({
    Tasks: {},
    Timestamp: 0,
    ResourceUsage: { CpuStats: { Percent: 0, Measured: null } },
  });
});

test("a task that ends while it is looked at is left out", async () => {
  const runs = () =>
    new Map([
      ["gone", aRun("g", [])],
      ["t", aRun("t", [0, 0])],
    ] as const);
  expect(Object.keys((await ask(new AllocStats({ runs, coreMhz: () => 1, clock }))).Tasks)).toEqual(["t"]);
});

test("a second question soon after uses the sample of the first", async () => {
  const run = aRun("r", [0, 10, 40]);
  const stats = new AllocStats({ runs: () => new Map([["t", run]]), coreMhz: () => 1_000, clock });
  await ask(stats);
  await clock.advance(100);
  expect((await stats.of("alloc")).Tasks.t?.ResourceUsage.CpuStats.Percent).toBe(30);
});
