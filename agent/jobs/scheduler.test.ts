import { aBatch, aGroup, aJob, aNetwork, aNode, aPolicy, aPort, aTask } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

let host: Host;
const begin = async (...args: Parameters<typeof Host.started>): Promise<void> => {
  host = await Host.started(...args);
};
afterEach(async () => {
  await host.close();
  expect(host.clock.sleeping).toBe(0);
});

const small = aNode({ Resources: { CpuShares: 1_000, Cores: 4, MemoryMB: 250, DiskMB: 1_000 } });
const named = (ID: string, job = aJob()) => ({ ...job, ID, Name: ID });
const blocked = () => host.store.evals().filter((e) => e.Status === "blocked");

describe("what does not fit", () => {
  test("is told, counted as queued, and leaves a blocked evaluation", async () => {
    await begin(small);
    const { EvalID } = await host.register(aJob({}, { Count: 5 }));
    expect(host.live()).toHaveLength(2);
    const evaluation = host.store.eval(EvalID);
    expect(evaluation).toMatchObject({
      Status: "complete",
      QueuedAllocations: { g: 3 },
      FailedTGAllocs: { g: { DimensionExhausted: { memory: 1 }, NodesExhausted: 1, CoalescedFailures: 2 } },
    });
    expect(blocked()).toMatchObject([
      { ID: evaluation?.BlockedEval, PreviousEval: EvalID, TriggeredBy: "queued-allocs", QueuedAllocations: { g: 3 } },
    ]);
  });

  test("is placed as room appears, bit by bit, without a change in between", async () => {
    await begin(small);
    await host.register(named("first", aBatch({}, { Count: 2 })));
    await host.register(aJob({}, { Count: 2 }));
    expect(host.live()).toHaveLength(0);
    expect(host.job().Status).toBe("pending");
    const index = host.store.index;
    await host.setNode(small);
    expect(host.store.index).toBe(index + 1);
    const [a, b] = host.live("first");
    await host.report(a as never, "complete");
    expect(host.live()).toHaveLength(1);
    expect(blocked()).toMatchObject([{ QueuedAllocations: { g: 1 } }]);
    await host.report(b as never, "complete");
    expect(host.live()).toHaveLength(2);
    expect(blocked()).toHaveLength(0);
    expect(host.job().Status).toBe("running");
  });

  test("an evaluation that is blocked gives way to a newer one, and to the end of the job", async () => {
    await begin(small);
    await host.register(aJob({}, { Count: 5 }));
    const [first] = blocked();
    await host.register(aJob({}, { Count: 4 }));
    expect(host.store.eval(first?.ID ?? "")).toMatchObject({ Status: "canceled" });
    expect(blocked()).toHaveLength(1);
    await host.jobs.deregister("default", "job", { purge: false, noShutdownDelay: false });
    expect(blocked()).toHaveLength(0);
    expect(host.job().Status).toBe("dead");
  });

  test("the more important job gets the room", async () => {
    await begin(small);
    await host.register(named("first", aBatch({}, { Count: 2 })));
    await host.register(named("low", aJob({ Priority: 10 })));
    await host.register(named("high", aJob({ Priority: 90 })));
    await host.report(host.live("first")[0] as never, "complete");
    expect([host.live("low").length, host.live("high").length]).toEqual([0, 1]);
  });

  test("an update whose replacement has no room leaves the old one running", async () => {
    await begin(small);
    await host.register(aJob());
    const old = host.only();
    await host.register(aJob({}, { Tasks: [aTask({ Resources: { ...aTask().Resources, MemoryMB: 300 } })] }));
    expect(host.only().ID).toBe(old.ID);
    expect(blocked()).toHaveLength(1);
  });

  test("an update of everything at once fits on a full node, as each replacement waits for its predecessor", async () => {
    await begin(small);
    const full = (n: number) => aBatch({}, { Count: 2, Tasks: [aTask({ Env: { N: String(n) } })] });
    await host.register(full(1));
    await host.register(full(2));
    expect(host.live().map((a) => a.Job.Version)).toEqual([1, 1]);
    expect(blocked()).toHaveLength(0);
  });

  test("a static port that is taken is named, and given on when its holder has ended", async () => {
    await begin();
    const web = (ID: string) => named(ID, aJob({}, { Networks: [aNetwork({ ReservedPorts: [aPort("http", 8080)] })] }));
    await host.register(web("a"));
    const { EvalID } = await host.register(web("b"));
    expect(host.store.eval(EvalID)?.FailedTGAllocs).toMatchObject({
      g: { DimensionExhausted: { "network: reserved port collision http=8080": 1 } },
    });
    await host.jobs.deregister("default", "a", { purge: true, noShutdownDelay: false });
    expect(host.live("b")).toHaveLength(0);
    await host.stopped();
    expect(host.live("b")).toHaveLength(1);
  });

  test("a driver that the node lacks filters the group, and is tried again when the node changes", async () => {
    await begin();
    const { EvalID } = await host.register(aJob({}, { Tasks: [aTask({ Driver: "docker" })] }));
    expect(host.store.eval(EvalID)?.FailedTGAllocs).toMatchObject({
      g: { NodesFiltered: 1, ConstraintFiltered: { "missing drivers": 1 } },
    });
    const raw = aNode().Drivers.raw_exec;
    await host.setNode(aNode({ Drivers: { docker: raw as never } }));
    expect(host.live()).toHaveLength(1);
  });

  test("one group without room does not hold the other back", async () => {
    await begin(small);
    const big = aGroup({ Name: "big", Tasks: [aTask({ Resources: { ...aTask().Resources, CPU: 5_000 } })] });
    await host.register(aJob({ TaskGroups: [big, aGroup()] }));
    expect(host.live().map((a) => a.TaskGroup)).toEqual(["g"]);
    expect(blocked()[0]?.FailedTGAllocs).toMatchObject({ big: { DimensionExhausted: { cpu: 1 } } });
  });
});

test("a port that something else listens on is not given out, and nobody asks when no dynamic port is wanted", async () => {
  let asked = 0;
  await begin(aNode({ MinDynamicPort: 20_000, MaxDynamicPort: 20_001 }), {
    listeningPorts: () => {
      asked++;
      return new Set([20_000]);
    },
  });
  await host.register(named("plain"));
  expect(asked).toBe(0);
  await host.register(named("port", aJob({}, { Networks: [aNetwork({ DynamicPorts: [aPort("p")] })] })));
  expect(host.only("port").AllocatedResources.Shared.Ports).toMatchObject([{ Value: 20_001 }]);
});

describe("after a restart of the agent", () => {
  test("a pending evaluation is worked on", async () => {
    await begin();
    await host.restart(async () => {
      const { newEvaluation } = await import("./evaluations.js");
      await host.store.commit([
        { kind: "job", job: aJob(), spec: true },
        { kind: "eval", eval: newEvaluation("e0000000-0000-4000-8000-000000000000", aJob(), "job-register", host.clock.now()) },
      ]);
    });
    expect(host.live()).toHaveLength(1);
    expect(host.evals()).toMatchObject([{ Status: "complete" }]);
  });

  test("a follow-up evaluation comes at its time, and at once when that has passed", async () => {
    await begin();
    for (const ID of ["soon", "past"]) {
      await host.register(named(ID, aBatch({}, { ReschedulePolicy: aPolicy({ Delay: ID === "soon" ? 60_000_000_000 : 5_000_000_000 }) })));
      await host.report(host.only(ID), "failed");
    }
    await host.restart(async () => host.clock.advance(30_000));
    expect([host.live("soon").length, host.live("past").length]).toEqual([0, 1]);
    await host.pass(30_001);
    expect(host.live("soon")).toHaveLength(1);
  });

  test("a failure that nobody saw is rescheduled, and one of a job without attempts is left", async () => {
    await begin();
    await host.register(named("again", aBatch({}, { ReschedulePolicy: aPolicy({ Delay: 1 }) })));
    await host.register(named("never", aBatch()));
    await host.restart(async () => {
      for (const ID of ["again", "never"])
        await host.store.commit([{ kind: "alloc-observed", id: host.only(ID).ID, patch: { ClientStatus: "failed" } }]);
      host.clock.advance(10_000);
    });
    expect([host.live("again").length, host.live("never").length]).toEqual([1, 0]);
    expect(host.job("never").Status).toBe("dead");
  });

  test("nothing is written when there is nothing to do", async () => {
    await begin();
    await host.register(aJob({}, { Count: 3 }));
    await host.register(named("done", aBatch()));
    await host.report(host.only("done"), "complete");
    const { index } = host.store;
    await host.restart();
    expect(host.store.index).toBe(index);
  });
});

describe("a disk that refuses writes", () => {
  test("a registration is refused whole", async () => {
    await begin();
    host.store.failWrites();
    await expect(host.jobs.register(aJob())).rejects.toMatchObject({ code: "degraded" });
    host.store.heal();
    await host.settle();
    expect(host.store.jobs()).toEqual([]);
  });

  test("a reaction is tried again when the disk is back", async () => {
    await begin();
    await host.register(aBatch({}, { ReschedulePolicy: aPolicy() }));
    await host.report(host.only(), "failed");
    host.store.failWrites();
    await host.pass(5_001);
    expect(host.live()).toHaveLength(0);
    host.store.heal();
    // The store tries its disk at intervals of its own.
    for (let i = 0; i < 4; i++) await host.pass(2_000);
    expect(host.live()).toHaveLength(1);
    expect(host.allocs()).toHaveLength(2);
  });
});

describe("ended allocations over the limit", () => {
  test("go, oldest first, and a batch job that is over goes with its last one", async () => {
    await begin(undefined, { maxTerminalAllocs: 2 });
    for (const ID of ["a", "b", "c"]) {
      await host.register(named(ID, aBatch()));
      await host.report(host.only(ID), "complete");
    }
    expect(host.store.allocs().map((a) => a.JobID)).toEqual(["b", "c"]);
    expect(host.store.jobs().map((job) => job.ID)).toEqual(["b", "c"]);
    expect(host.evals("a")).toEqual([]);
  });

  test("stay while they stand for a place in a job that is not over", async () => {
    await begin(undefined, { maxTerminalAllocs: 0 });
    await host.register(aBatch({}, { Count: 2 }));
    const [a, b] = host.live();
    await host.report(a as never, "complete");
    expect(host.allocs()).toHaveLength(2);
    expect(host.live()).toHaveLength(1);
    await host.report(b as never, "complete");
    expect(host.allocs()).toHaveLength(0);
  });

  test("a service that runs keeps nothing of what it was", async () => {
    await begin(undefined, { maxTerminalAllocs: 0 });
    await host.register(aJob());
    const old = host.only();
    await host.jobs.stopAlloc(old.ID, { noShutdownDelay: false, reschedule: false });
    await host.stopped();
    expect(host.allocs()).toEqual([host.only()]);
    expect(host.store.isTombstone(old.ID)).toBe(true);
  });

  test("ended deployments of a job are limited", async () => {
    await begin(undefined, { maxDeployments: 2 });
    for (let n = 0; n < 5; n++) await host.register(aJob({}, { Tasks: [aTask({ Env: { N: String(n) } })] }));
    expect(host.store.deploymentsOfJob("default", "job").map((d) => d.JobVersion)).toEqual([2, 3, 4]);
  });
});
