import { AllocdError } from "../errors.js";
import { isClientTerminal } from "../model/allocation.js";
import { isActive } from "../model/deployment.js";
import { InvalidInput } from "../model/invalid-field.js";
import type { Job, TaskGroup } from "../model/job.js";
import { isOpen } from "../model/job-status.js";
import { SECOND } from "../model/units.js";
import { broken, FakeTasks } from "./testing/fake-tasks.js";
import { aGroup, aJob, aNetwork, aNode, anUpdate, aPolicy, aPort, aTask, NO_RESCHEDULE } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

const OPERATIONS = 2_000;
const IDS = Array.from({ length: 12 }, (_, i) => `job${i}`);
/** Room for most of what is asked for, and not for all. */
const node = aNode({ Resources: { CpuShares: 4_000, Cores: 4, MemoryMB: 4_000, DiskMB: 1_500 }, MaxDynamicPort: 20_060 });

/** Numbers that look random and are the same for the same seed (mulberry32). */
function dice(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return { next, below, pick: <T>(items: readonly T[]): T | undefined => items[below(items.length)], chance: (p: number) => next() < p };
}
type Dice = ReturnType<typeof dice>;

let serial = 0;
function randomJob(d: Dice, ID: string): Job {
  const Type = d.pick(["service", "service", "service", "batch", "system", "sysbatch"] as const) ?? "service";
  const isService = Type === "service";
  const group = (Name: string): TaskGroup =>
    aGroup({
      Name,
      Count: d.below(5),
      Tasks: [
        aTask({ Env: { N: String(d.below(4)) }, Resources: { ...aTask().Resources, CPU: 50 + d.below(300), MemoryMB: 50 + d.below(200) } }),
      ],
      Networks: d.chance(0.3)
        ? [aNetwork({ DynamicPorts: [aPort("p")], ReservedPorts: d.chance(0.3) ? [aPort("s", 9_000 + d.below(3))] : null })]
        : null,
      ReschedulePolicy:
        d.pick([
          NO_RESCHEDULE,
          aPolicy({ Attempts: 2 }),
          aPolicy({ Attempts: 0, Unlimited: true, DelayFunction: "exponential", MaxDelay: 60 * SECOND }),
          aPolicy({ Attempts: 0, Unlimited: true, DelayFunction: "fibonacci", MaxDelay: 60 * SECOND }),
        ]) ?? NO_RESCHEDULE,
      Update: isService
        ? anUpdate({
            MaxParallel: d.below(3),
            Canary: d.chance(0.3) ? 1 + d.below(2) : 0,
            AutoPromote: d.chance(0.5),
            AutoRevert: d.chance(0.5),
            ProgressDeadline: 120 * SECOND,
          })
        : null,
      Constraints: d.chance(0.05) ? [{ LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "windows" }] : null,
    });
  const TaskGroups = d.chance(0.2) ? [group("g"), group("h")] : [group("g")];
  return aJob({ ID, Name: ID, Type, Priority: 10 + 10 * d.below(9), TaskGroups, Meta: d.chance(0.2) ? { n: String(++serial) } : null });
}

/** A caller's mistakes and what can not be had at the moment are no defects. */
async function asked(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof AllocdError || error instanceof InvalidInput)) throw error;
  });
}

async function disturb(host: Host, tasks: FakeTasks, d: Dice): Promise<void> {
  const { jobs, nodes, store } = host;
  const id = d.pick(IDS) ?? "";
  const key = { namespace: "default", id };
  const alloc = d.pick(store.allocs().filter((a) => !isClientTerminal(a)));
  const running = d.pick(tasks.running());
  const deployment = d.pick(IDS.flatMap((job) => store.deploymentsOfJob("default", job)).filter(isActive));
  const operations: readonly [number, () => Promise<unknown>][] = [
    [18, () => jobs.register(randomJob(d, id))],
    [8, () => jobs.scaling.scale(key, { group: "g", count: d.below(6), message: "", isError: false, meta: null })],
    [6, () => jobs.deregister("default", id, { purge: d.chance(0.4), noShutdownDelay: false })],
    [5, async () => alloc && jobs.stopAlloc(alloc.ID, { noShutdownDelay: false, reschedule: d.chance(0.5) })],
    [4, () => jobs.evaluator.evaluate(key, { forceReschedule: d.chance(0.5) })],
    [14, async () => Promise.all(tasks.startable().map((a) => tasks.start(a)))],
    [12, async () => Promise.all(tasks.stopping().map((a) => tasks.end(a, "complete")))],
    [10, async () => running && tasks.end(running, d.chance(0.7) ? "failed" : "complete")],
    [14, async () => running && tasks.judge(running, d.chance(0.8))],
    [8, async () => host.clock.advance(d.below(90) * 1_000)],
    [3, async () => deployment && jobs.deployments.promote(deployment.ID)],
    [1, async () => deployment && jobs.deployments.fail(deployment.ID)],
    [2, async () => deployment && jobs.deployments.pause(deployment.ID, deployment.Status === "running")],
    [1, () => nodes.setEligibility(host.node.ID, d.chance(0.8))],
    [1, () => nodes.drain(host.node.ID, { deadline: 60 * SECOND, ignoreSystemJobs: d.chance(0.5) }, { markEligible: false, meta: null })],
    [2, () => nodes.drain(host.node.ID, null, { markEligible: true, meta: null })],
    [1, () => jobs.configuration.put({ ...CONFIG, PreemptionConfig: { ...NO_PREEMPTION, ServiceSchedulerEnabled: d.chance(0.5) } })],
  ];
  let at = d.next() * operations.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, run] of operations) {
    at -= weight;
    if (at < 0) return asked(run());
  }
}

const NO_PREEMPTION = {
  SystemSchedulerEnabled: false,
  SysBatchSchedulerEnabled: false,
  BatchSchedulerEnabled: false,
  ServiceSchedulerEnabled: false,
};
const CONFIG = {
  SchedulerAlgorithm: "binpack" as const,
  PreemptionConfig: NO_PREEMPTION,
  RejectJobRegistration: false,
  MemoryOversubscriptionEnabled: false,
  PauseEvalBroker: false,
  CreateIndex: 0,
  ModifyIndex: 0,
};

/** What the last jobs ask for: few enough that all of them fit. */
function lastJob(ID: string, i: number): Job | null {
  if (i % 4 === 3) return null;
  const Type = (["service", "batch", "system", "service"] as const)[i % 4] ?? "service";
  const group = {
    Count: 1 + (i % 3),
    Tasks: [aTask({ Env: { LAST: "1" } })],
    Update: Type === "service" ? anUpdate({ MaxParallel: i % 3 }) : null,
  };
  return aJob({ ID, Name: ID, Type }, group);
}

/**
 * Another agent, which looks at every job, finds nothing to change. With preemption on it may: what others have placed since
 * the last look at a job may give way to it.
 */
async function expectNothingLeftToDo(host: Host): Promise<void> {
  if (host.store.schedulerConfig()?.PreemptionConfig.ServiceSchedulerEnabled) return;
  await host.settle();
  const { index } = host.store;
  const written: unknown[] = [];
  const end = host.store.watch.subscribe((changes) => written.push(...changes));
  await host.restart();
  end();
  expect(written).toEqual([]);
  expect(host.store.index).toBe(index);
}

async function settleDown(host: Host, tasks: FakeTasks): Promise<void> {
  await host.jobs.configuration.put(CONFIG);
  await host.nodes.drain(host.node.ID, null, { markEligible: true, meta: null });
  await host.settle();
  for (const [i, ID] of IDS.entries()) {
    const job = lastJob(ID, i);
    await (job ? host.jobs.register(job) : asked(host.jobs.deregister("default", ID, { purge: i % 8 === 7, noShutdownDelay: false })));
  }
  await host.settle();
  for (let round = 0; round < 4; round++) {
    await tasks.runToTheEnd();
    await host.pass(120_000);
  }
  await tasks.runToTheEnd();
}

test.each([1, 2, 3])(
  `${OPERATIONS} random operations end in what the last jobs ask for, and leave nothing over (seed %d)`,
  async (seed) => {
    const d = dice(seed);
    const host = await Host.started(node);
    const tasks = new FakeTasks(host);
    for (let i = 0; i < OPERATIONS; i++) {
      await disturb(host, tasks, d);
      // Most of the time one thing comes after the other, sometimes several meet.
      if (d.chance(0.8)) await host.settle();
      expect([i, broken(host.store.allocs(), host.node)]).toEqual([i, []]);
      if (d.chance(0.02)) await expectNothingLeftToDo(host);
    }
    await host.settle();
    await settleDown(host, tasks);

    for (const [i, ID] of IDS.entries()) {
      const job = lastJob(ID, i);
      const version = host.store.job("default", ID)?.Version;
      const current = host.allocs(ID).filter((a) => a.Job.Version === version && a.DesiredStatus === "run");
      const there = current.filter((a) => (job?.Type === "batch" ? a.ClientStatus === "complete" : !isClientTerminal(a)));
      const count = job === null ? 0 : job.Type === "system" ? 1 : (job.TaskGroups[0]?.Count ?? 0);
      expect([ID, there.length, new Set(there.map((a) => a.Name)).size]).toEqual([ID, count, count]);
      expect(host.live(ID).every((a) => there.includes(a))).toBe(true);
    }
    expect(host.store.evals().filter(isOpen)).toEqual([]);
    expect(tasks.stopping()).toEqual([]);
    expect(IDS.flatMap((ID) => host.store.deploymentsOfJob("default", ID)).filter(isActive)).toEqual([]);
    const purged = IDS.filter((_, i) => i % 8 === 7);
    for (const ID of purged) {
      expect([host.store.job("default", ID), host.allocs(ID), host.store.deploymentsOfJob("default", ID)]).toEqual([undefined, [], []]);
      expect(host.evals(ID).every((e) => e.TriggeredBy === "job-deregister")).toBe(true);
    }
    await host.close();
    expect(host.clock.sleeping).toBe(0);
  },
  60_000,
);
