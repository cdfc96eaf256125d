import type { Allocation } from "../model/allocation.js";
import type { TaskGroup } from "../model/job.js";
import { defaultSchedulerConfig } from "../model/scheduler-config.js";
import { SECOND } from "../model/units.js";
import { aBatch, aGroup, aJob, aNode, aPolicy, aTask } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

let host: Host;
const begin = async (...args: Parameters<typeof Host.started>): Promise<void> => {
  host = await Host.started(...args);
};
afterEach(async () => {
  await host.close();
  expect(host.clock.sleeping).toBe(0);
});

const key = { namespace: "default", id: "job" };
const healthy = async (): Promise<void> => {
  for (const a of host.live()) await host.healthy(a);
};
const scale = (count: number | null, more = {}) =>
  host.jobs.scaling.scale(key, { group: "g", count, message: "why", isError: false, meta: null, ...more });
const names = (id = "job"): string[] =>
  host
    .live(id)
    .map((a) => a.Name)
    .sort();

describe("scaling", () => {
  beforeEach(() => begin());

  test("is a new version in place, takes the highest away, and is kept as an event", async () => {
    await host.register(aJob({}, { Count: 2 }));
    await healthy();
    const { EvalID } = await scale(4);
    expect(names()).toEqual(["job.g[0]", "job.g[1]", "job.g[2]", "job.g[3]"]);
    expect(host.job().Version).toBe(1);
    expect(host.store.eval(EvalID)).toMatchObject({ TriggeredBy: "job-scaling", Status: "complete" });
    await healthy();
    await scale(1);
    expect(names()).toEqual(["job.g[0]"]);
    expect(host.store.scalingEvents("default", "job")?.g).toMatchObject([
      { Count: 1, PreviousCount: 4, Message: "why", Error: false },
      { Count: 4, PreviousCount: 2, EvalID, CreateIndex: host.store.eval(EvalID)?.CreateIndex },
    ]);
  });

  test("waits for an update to end, and says so", async () => {
    await host.register(aJob());
    await expect(scale(2)).rejects.toMatchObject({ code: "conflict", message: "job scaling blocked due to active deployment" });
    expect(host.store.scalingEvents("default", "job")?.g).toMatchObject([{ Error: true, Count: 2 }]);
    expect(host.job().Version).toBe(0);
  });

  test("without a count only keeps what was said", async () => {
    await host.register(aJob());
    expect(await scale(null, { isError: true, message: "no metrics" })).toMatchObject({ EvalID: "" });
    expect(host.store.scalingEvents("default", "job")?.g).toMatchObject([{ Count: null, Error: true, Message: "no metrics" }]);
  });

  test("keeps the latest twenty events, and forgets them with the job", async () => {
    await host.register(aJob());
    for (let n = 0; n < 25; n++) await scale(null, { message: String(n) });
    const events = host.store.scalingEvents("default", "job")?.g ?? [];
    expect([events.length, events[0]?.Message]).toEqual([20, "24"]);
    await host.jobs.deregister("default", "job", { purge: true, noShutdownDelay: false });
    expect(host.store.scalingEvents("default", "job")).toBeUndefined();
  });

  test.each<[string, Partial<TaskGroup>, object, number, string]>([
    [
      "under its bounds",
      { Count: 3, Scaling: { Min: 2, Max: 4, Enabled: true } },
      {},
      1,
      "group count was less than scaling policy minimum: 1 < 2",
    ],
    [
      "over its bounds",
      { Count: 3, Scaling: { Min: 2, Max: 4, Enabled: true } },
      {},
      5,
      "group count was greater than scaling policy maximum: 5 > 4",
    ],
    ["with an error", {}, { isError: true }, 2, "scaling action should not contain count if error is true"],
    ["an unknown group", {}, { group: "nope" }, 2, 'task group "nope" specified for scaling does not exist in job'],
  ])("%s is refused", async (_name, group, more, count, message) => {
    await host.register(aJob({}, group));
    await healthy();
    await expect(scale(count, more)).rejects.toThrow(message);
    expect(host.job().Version).toBe(0);
  });

  test("of a system job, and of none, is refused", async () => {
    await expect(scale(1)).rejects.toMatchObject({ code: "not-found" });
    await host.register(aJob({ Type: "system" }));
    await expect(scale(1)).rejects.toThrow('cannot scale jobs of type "system"');
  });
});

describe("a plan", () => {
  beforeEach(() => begin(aNode({ Resources: { CpuShares: 1_000, Cores: 4, MemoryMB: 250, DiskMB: 1_000 } })));

  test("says what would happen, and nothing does", async () => {
    await host.register(aJob());
    await healthy();
    const { index } = host.store;
    const next = aJob({}, { Count: 4, Tasks: [aTask({ Env: { N: "2" } })] });
    const plan = host.jobs.rehearsal.plan(next, { diff: true });
    expect(host.store.index).toBe(index);
    expect(plan).toMatchObject({
      Annotations: { DesiredTGUpdates: { g: { Place: 3, DestructiveUpdate: 0, Ignore: 1 } } },
      FailedTGAllocs: { g: { DimensionExhausted: { memory: 1 }, CoalescedFailures: 1 } },
      JobModifyIndex: host.job().JobModifyIndex,
      NextPeriodicLaunch: null,
    });
    expect(plan.Diff?.TaskGroups?.[0]).toMatchObject({
      Type: "Edited",
      Updates: { create: 3, ignore: 1 },
      Fields: [{ Name: "Count", Old: "1", New: "4", Annotations: ["forces create"] }],
      Tasks: [
        { Type: "Edited", Annotations: ["forces create/destroy update"], Fields: [{ Name: "Env[N]", Old: "", New: "2", Type: "Added" }] },
      ],
    });
  });

  test("of what is there already changes nothing, and of a new job adds all", async () => {
    await host.register(aJob());
    const same = host.jobs.rehearsal.plan(aJob(), { diff: true });
    expect(same.Diff).toEqual({
      Fields: null,
      ID: "job",
      Objects: null,
      TaskGroups: [
        {
          Fields: null,
          Name: "g",
          Objects: null,
          Tasks: [{ Annotations: null, Fields: null, Name: "t", Objects: null, Type: "None" }],
          Type: "None",
          Updates: { ignore: 1 },
        },
      ],
      Type: "None",
    });
    const fresh = host.jobs.rehearsal.plan(aJob({ ID: "new", Name: "new" }), { diff: false });
    expect(fresh).toMatchObject({ Diff: null, JobModifyIndex: 0, Annotations: { DesiredTGUpdates: { g: { Place: 1 } } } });
  });
});

describe("what waits for room", () => {
  test("says which classes of nodes it may wait for", async () => {
    await begin(aNode({ Resources: { CpuShares: 50, Cores: 4, MemoryMB: 250, DiskMB: 1_000 } }));
    const constraint = (LTarget: string) => ({ Constraints: [{ LTarget, Operand: "=", RTarget: "x" }] });
    for (const [ID, group] of Object.entries({ full: {}, other: constraint("${attr.a}"), unique: constraint("${attr.unique.hostname}") }))
      await host.register(aJob({ ID, Name: ID }, group));
    const blocked = (id: string) => host.evals(id).find((e) => e.Status === "blocked");
    expect(Object.values(blocked("full")?.ClassEligibility ?? {})).toEqual([true]);
    expect(blocked("other")).toMatchObject({
      EscapedComputedClass: false,
      QuotaLimitReached: "",
      FailedTGAllocs: { g: { ConstraintFiltered: { "${attr.a} = x": 1 } } },
    });
    expect(Object.values(blocked("other")?.ClassEligibility ?? {})).toEqual([false]);
    expect(blocked("unique")?.EscapedComputedClass).toBe(true);
  });

  test("a host of its own keeps a second one waiting, and an update is no second one", async () => {
    await begin();
    const Constraints = [{ LTarget: "", Operand: "distinct_hosts", RTarget: "" }];
    await host.register(aJob({}, { Count: 2, Constraints, Update: null }));
    expect(names()).toEqual(["job.g[0]"]);
    await host.register(aJob({}, { Count: 1, Constraints, Update: null, Tasks: [aTask({ Env: { N: "2" } })] }));
    expect(host.only().Job.Version).toBe(1);
  });
});

describe("preemption", () => {
  const full = aNode({ Resources: { CpuShares: 1_000, Cores: 4, MemoryMB: 250, DiskMB: 1_000 } });
  const low = aBatch({ ID: "low", Name: "low", Priority: 10 }, { Count: 2 });
  const high = aJob({ ID: "high", Name: "high", Priority: 80 });

  test("is off by default", async () => {
    await begin(full);
    await host.register(low);
    await host.register(high);
    expect([host.live("low").length, host.live("high").length]).toEqual([2, 0]);
  });

  test("lets the less important give way when an operator wants it, and brings them back when there is room", async () => {
    await begin(full);
    await host.register(low);
    await host.register(high);
    const PreemptionConfig = { ...defaultSchedulerConfig.PreemptionConfig, ServiceSchedulerEnabled: true };
    await host.jobs.configuration.put({ ...defaultSchedulerConfig, PreemptionConfig });
    await host.settle();
    const winner = host.only("high");
    const [victim] = host.allocs("low").filter((a) => a.DesiredStatus === "evict");
    expect(winner.PreemptedAllocations).toEqual([victim?.ID]);
    expect(victim).toMatchObject({ DesiredDescription: `Preempted by alloc ID ${winner.ID}`, PreemptedByAllocation: winner.ID });
    expect(host.evals("low")).toEqual(expect.arrayContaining([expect.objectContaining({ TriggeredBy: "preemption", Status: "complete" })]));
    expect(host.live("low")).toHaveLength(1);
    await host.jobs.deregister("default", "high", { purge: false, noShutdownDelay: false });
    await host.stopped();
    expect(host.live("low")).toHaveLength(2);
  });
});

describe("system jobs", () => {
  test("run once on the node, come when it is for them, and a node that is none is no failure", async () => {
    await begin(aNode({ SchedulingEligibility: "ineligible" }));
    await host.register(aJob({ Type: "system" }, { Count: 5 }));
    expect(host.evals().some((e) => e.Status === "blocked" || e.FailedTGAllocs)).toBe(false);
    await host.setNode(aNode());
    expect(names()).toEqual(["job.g[0]"]);
  });

  test("have their groups updated one after the other, as the stagger says", async () => {
    await begin();
    const Update = { MaxParallel: 1, Stagger: 30 * SECOND };
    const both = (n: string) =>
      aJob({
        Type: "system",
        Update,
        TaskGroups: ["g", "h"].map((Name) => aGroup({ Name, Update: null, Tasks: [aTask({ Env: { N: n } })] })),
      });
    const versions = () =>
      host
        .live()
        .map((a) => a.Job.Version)
        .sort();
    await host.register(both("1"));
    await host.register(both("2"));
    expect(versions()).toEqual([0, 1]);
    await host.jobs.evaluator.evaluate(key, { forceReschedule: false });
    expect(versions()).toEqual([0, 1]);
    expect(host.evals().filter((e) => e.TriggeredBy === "rolling-update")).toMatchObject([{ Status: "pending" }]);
    await host.pass(30_001);
    expect(versions()).toEqual([1, 1]);
    expect(host.evals().every((e) => e.Status === "complete")).toBe(true);
  });

  test("of the batch kind run once for each version", async () => {
    await begin();
    await host.register(aBatch({ Type: "sysbatch" }));
    await host.report(host.only(), "complete");
    await host.setNode(aNode({ Meta: { a: "1" } }));
    await host.register(aBatch({ Type: "sysbatch" }));
    expect(host.live()).toHaveLength(0);
    expect(host.job().Status).toBe("dead");
  });

  test("that have failed get another chance when somebody asks", async () => {
    await begin();
    await host.register(aJob({ Type: "system" }));
    await host.report(host.only(), "failed");
    expect(host.live()).toHaveLength(0);
    await host.jobs.evaluator.evaluate(key, { forceReschedule: false });
    expect(host.live()).toHaveLength(1);
  });
});

test("a look that forces it reschedules what has failed for good", async () => {
  await begin();
  await host.register(aBatch());
  await host.report(host.only(), "failed");
  await host.jobs.evaluator.evaluate(key, { forceReschedule: false });
  expect(host.live()).toHaveLength(0);
  await host.jobs.evaluator.evaluate(key, { forceReschedule: true });
  expect(host.live()).toHaveLength(1);
  await expect(host.jobs.evaluator.evaluate({ ...key, id: "nope" }, { forceReschedule: false })).rejects.toMatchObject({
    code: "not-found",
  });
});

test("a job that only others are made of is not looked at, one that was dispatched is", async () => {
  await begin();
  const ParameterizedJob = { Payload: "optional", MetaRequired: null, MetaOptional: null };
  const look = (id: string) => host.jobs.evaluator.evaluate({ ...key, id }, { forceReschedule: false });
  await host.register(aBatch({ ID: "parent", Name: "parent", ParameterizedJob, Dispatched: false }));
  await expect(look("parent")).rejects.toThrow("can't evaluate parameterized job");
  await host.register(aBatch({ ID: "child", Name: "child", ParameterizedJob, Dispatched: true }));
  await expect(look("child")).resolves.toMatchObject({ EvalID: expect.any(String) });
});

test("with the door shut no job comes in", async () => {
  await begin();
  await host.jobs.configuration.put({ ...defaultSchedulerConfig, RejectJobRegistration: true });
  await expect(host.jobs.register(aJob())).rejects.toMatchObject({
    status: 403,
    message: "Job registration, dispatch, and scale are disabled by the scheduler configuration",
  });
  const known = host.store.schedulerConfig()?.ModifyIndex ?? 0;
  expect(await host.jobs.configuration.put(defaultSchedulerConfig, known + 1)).toEqual({ updated: false, index: known });
  expect(await host.jobs.configuration.put(defaultSchedulerConfig, known)).toMatchObject({ updated: true });
  await host.register(aJob());
  expect(host.live()).toHaveLength(1);
});

describe("a drain", () => {
  const drain = (deadlineSeconds = 60, ignoreSystemJobs = false) =>
    host.nodes.drain(
      host.node.ID,
      { deadline: deadlineSeconds * SECOND, ignoreSystemJobs },
      { markEligible: false, meta: { why: "test" } },
    );
  const job = (ID: string, change = {}, group = {}) => aJob({ ID, Name: ID, ...change }, { Count: 2, ...group });
  const descriptions = (id: string) => host.allocs(id).map((a) => a.DesiredDescription);

  beforeEach(() => begin());

  test("stops services in turn and then system jobs, leaves blocked evaluations, and ends", async () => {
    await host.register(job("web"));
    await host.register(job("sys", { Type: "system" }));
    await drain();
    await host.settle();
    expect(host.node).toMatchObject({ SchedulingEligibility: "ineligible", LastDrain: { Status: "draining", Meta: { why: "test" } } });
    expect([host.live("web").length, host.live("sys").length]).toEqual([1, 1]);
    await host.stopped();
    await host.stopped();
    expect([host.live("web").length, host.live("sys").length]).toEqual([0, 0]);
    await host.stopped();
    expect(host.node).toMatchObject({ DrainStrategy: null, SchedulingEligibility: "ineligible", LastDrain: { Status: "complete" } });
    expect(descriptions("web")).toEqual(["alloc is being migrated", "alloc is being migrated"]);
    expect(host.evals("web").filter((e) => e.Status === "blocked")).toMatchObject([{ QueuedAllocations: { g: 2 } }]);
    expect(host.evals("web")).toEqual(expect.arrayContaining([expect.objectContaining({ TriggeredBy: "node-drain", Status: "complete" })]));
    await host.nodes.setEligibility(host.node.ID, true);
    await host.settle();
    expect([host.live("web").length, host.live("sys").length]).toEqual([2, 1]);
  });

  test("lets batch jobs finish until its deadline, and those that it stops run again later", async () => {
    await host.register(aBatch({ ID: "crunch", Name: "crunch" }));
    await drain();
    await host.settle();
    expect(host.live("crunch")).toHaveLength(1);
    await host.pass(60_001);
    expect(host.live("crunch")).toHaveLength(0);
    await host.stopped();
    await host.nodes.setEligibility(host.node.ID, true);
    await host.settle();
    expect(host.live("crunch")).toHaveLength(1);
  });

  test("is gone on with by the next agent, and may be called off", async () => {
    await host.register(job("web", {}, { Count: 3 }));
    await drain();
    await host.settle();
    await host.restart(async () => {
      for (const a of host.allocs("web")) if (a.DesiredStatus === "stop") await host.report(a, "complete");
    });
    expect(host.live("web")).toHaveLength(1);
    await expect(host.nodes.setEligibility(host.node.ID, true)).rejects.toMatchObject({ code: "conflict" });
    await host.nodes.drain(host.node.ID, null, { markEligible: true, meta: null });
    await host.settle();
    expect(host.node).toMatchObject({ DrainStrategy: null, SchedulingEligibility: "eligible", LastDrain: { Status: "canceled" } });
    expect(host.live("web")).toHaveLength(3);
  });

  test("of another node is refused", async () => {
    await expect(host.nodes.setEligibility("00000000-1111-2222-3333-444444444444", true)).rejects.toMatchObject({ code: "not-found" });
  });

  test("and an evaluation of the node looks at every job on it", async () => {
    await host.register(job("web"));
    await host.register(job("sys", { Type: "system" }));
    const { EvalIDs } = await host.nodes.evaluate(host.node.ID);
    expect(EvalIDs.map((id) => host.store.eval(id)?.TriggeredBy)).toEqual(["node-update", "node-update"]);
  });
});

test.each([
  ["constant", [5, 5, 5, 5]],
  ["exponential", [5, 10, 20, 40]],
  ["fibonacci", [5, 5, 10, 15]],
] as const)("failures come back after %s delays, each with its follow-up evaluation", async (DelayFunction, seconds) => {
  await begin();
  const ReschedulePolicy = aPolicy({ Attempts: 0, Interval: 0, Unlimited: true, DelayFunction, MaxDelay: 600 * SECOND });
  await host.register(aBatch({}, { ReschedulePolicy }));
  for (const [i, delay] of seconds.entries()) {
    const failed: Allocation = host.only();
    await host.report(failed, "failed");
    expect(host.store.eval(host.alloc(failed.ID).FollowupEvalID)).toMatchObject({ Status: "pending", TriggeredBy: "alloc-failure" });
    await host.pass(delay * 1_000 - 500);
    expect(host.live()).toHaveLength(0);
    await host.pass(1_000);
    expect(host.only()).toMatchObject({ PreviousAllocation: failed.ID, Name: failed.Name });
    expect(host.only().RescheduleTracker?.Events?.map((e) => Number(e.Delay) / SECOND)).toEqual(seconds.slice(0, i + 1));
    expect(host.alloc(failed.ID).NextAllocation).toBe(host.only().ID);
  }
});
