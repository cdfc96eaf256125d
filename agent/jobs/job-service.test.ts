import { aBatch, aJob, aNode, anUpdate, aPolicy, aTask } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

let host: Host;
beforeEach(async () => {
  host = await Host.started();
});
afterEach(async () => {
  await host.close();
  expect(host.clock.sleeping).toBe(0);
});

const env = (n: number) => ({ Tasks: [aTask({ Env: { N: String(n) } })] });
const stop = { noShutdownDelay: false, reschedule: false };
const gone = { purge: false, noShutdownDelay: false };

describe("register", () => {
  test("places what the job asks for before it answers", async () => {
    const result = await host.jobs.register(aJob({}, { Count: 3 }));
    expect(host.live().map((a) => a.Name)).toEqual(expect.arrayContaining(["job.g[0]", "job.g[1]", "job.g[2]"]));
    const job = host.job();
    expect(result).toMatchObject({
      JobModifyIndex: job.JobModifyIndex,
      Index: job.JobModifyIndex,
      EvalCreateIndex: job.CreateIndex,
      Warnings: "",
    });
    expect(job).toMatchObject({ Version: 0, Status: "running" });
    const evaluation = host.store.eval(result.EvalID);
    expect(evaluation).toMatchObject({
      Status: "complete",
      TriggeredBy: "job-register",
      QueuedAllocations: { g: 0 },
      JobModifyIndex: job.JobModifyIndex,
      FailedTGAllocs: null,
    });
    expect(evaluation?.PlanAnnotations).toMatchObject({ DesiredTGUpdates: { g: { Place: 3, Stop: 0 } } });
    for (const alloc of host.live())
      expect(alloc).toMatchObject({
        EvalID: result.EvalID,
        NodeName: "host",
        Job: { Version: 0, JobModifyIndex: job.JobModifyIndex },
        Metrics: { NodesEvaluated: 1 },
      });
  });

  test("takes two commits: the job with its evaluation, then the plan", async () => {
    const before = host.store.index;
    await host.jobs.register(aJob({}, { Count: 5 }));
    expect(host.store.index - before).toBe(2);
  });

  test("the same job again makes an evaluation, no version and no allocation", async () => {
    await host.register(aJob());
    const { EvalID } = await host.register(aJob());
    expect(host.job().Version).toBe(0);
    expect(host.allocs()).toHaveLength(1);
    expect(host.store.eval(EvalID)).toMatchObject({ Status: "complete", JobModifyIndex: host.job().JobModifyIndex });
  });

  test.each([
    ["a new one", undefined, 0, null],
    ["a new one that must exist", undefined, 7, "Enforcing job modify index 7: job does not exist"],
    ["a known one that must be new", aJob(), 0, "Enforcing job modify index 0: job already exists"],
    ["a known one at another index", aJob(), 999, "Enforcing job modify index 999: job exists with conflicting job modify index: "],
  ])("the index is enforced for %s", async (_name, known, enforceIndex, message) => {
    if (known) await host.register(known);
    const done = host.jobs.register(aJob({}, env(1)), { enforceIndex });
    if (message) await expect(done).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining(message) });
    else await expect(done).resolves.toBeDefined();
  });

  test("a job at the enforced index is updated", async () => {
    const { JobModifyIndex } = await host.register(aJob());
    await host.jobs.register(aJob({}, env(1)), { enforceIndex: JobModifyIndex });
    expect(host.job().Version).toBe(1);
  });

  test("a stopped job runs again, as a new version", async () => {
    await host.register(aJob());
    await host.jobs.deregister("default", "job", gone);
    await host.stopped();
    await host.register(aJob());
    expect(host.job()).toMatchObject({ Stop: false, Status: "running", Version: 2 });
    expect(host.only().Name).toBe("job.g[0]");
  });

  test("jobs that are registered at the same time share no port and do not exceed the node", async () => {
    host = await replaced(aNode({ MaxDynamicPort: 20_009, Resources: { CpuShares: 800, Cores: 4, MemoryMB: 8_000, DiskMB: 100_000 } }));
    const network = {
      Mode: "host",
      Device: "",
      CIDR: "",
      IP: "",
      MBits: 0,
      ReservedPorts: null,
      DynamicPorts: [{ Label: "p", Value: 0, To: 0, HostNetwork: "default" }],
    };
    const ids = Array.from({ length: 12 }, (_, i) => `job${i}`);
    await Promise.all(ids.map((ID) => host.jobs.register(aJob({ ID, Name: ID }, { Networks: [network] }))));
    const placed = host.store.allocs();
    expect(placed).toHaveLength(8);
    expect(new Set(placed.map((a) => a.AllocatedResources.Shared.Ports?.[0]?.Value)).size).toBe(8);
    expect(host.store.evals().filter((e) => e.Status === "blocked")).toHaveLength(4);
  });
});

describe("deregister", () => {
  test("stops everything and says why", async () => {
    await host.register(aJob({}, { Count: 2 }));
    const { EvalID } = await host.jobs.deregister("default", "job", { purge: false, noShutdownDelay: true });
    for (const a of host.allocs())
      expect(a).toMatchObject({
        DesiredStatus: "stop",
        DesiredDescription: "alloc not needed due to job update",
        DesiredTransition: { NoShutdownDelay: true },
      });
    expect(host.job()).toMatchObject({ Stop: true, Status: "dead" });
    expect(host.store.eval(EvalID)).toMatchObject({ Status: "complete", TriggeredBy: "job-deregister" });
    expect(host.store.deploymentsOfJob("default", "job")).toMatchObject([
      { Status: "cancelled", StatusDescription: "Cancelled because job is stopped" },
    ]);
  });

  test("of an unknown job is refused", async () => {
    await expect(host.jobs.deregister("default", "nope", gone)).rejects.toMatchObject({ code: "not-found", message: "job not found" });
  });

  test("a purge forgets the job at once, and the rest when its last task is gone", async () => {
    await host.register(aJob({}, { Count: 2 }));
    const [a, b] = host.live();
    const { EvalID } = await host.jobs.deregister("default", "job", { purge: true, noShutdownDelay: false });
    expect(host.store.job("default", "job")).toBeUndefined();
    await host.report(a as never, "complete");
    expect(host.allocs()).toHaveLength(2);
    await host.report(b as never, "complete");
    expect(host.allocs()).toHaveLength(0);
    expect(host.store.deploymentsOfJob("default", "job")).toHaveLength(0);
    expect(host.evals().map((e) => e.ID)).toEqual([EvalID]);
    expect(host.store.isTombstone(a?.ID ?? "")).toBe(true);
  });

  test("a job that comes back while the purged one still stops keeps its own", async () => {
    await host.register(aJob());
    const old = host.only();
    await host.jobs.deregister("default", "job", { purge: true, noShutdownDelay: false });
    await host.register(aJob());
    expect(host.only().ID).not.toBe(old.ID);
    await host.report(old, "complete");
    expect(host.allocs().map((a) => a.ID)).toEqual([host.only().ID]);
    expect(host.job().Status).toBe("running");
  });
});

describe("an update", () => {
  test("leaves the old allocation's job as it was, and links the two", async () => {
    await host.register(aJob({}, env(1)));
    const old = host.only();
    await host.register(aJob({}, env(2)));
    const next = host.only();
    expect(host.alloc(old.ID)).toMatchObject({
      DesiredStatus: "stop",
      DesiredDescription: "alloc is being updated due to job update",
      NextAllocation: next.ID,
      Job: { Version: 0 },
    });
    expect(next).toMatchObject({ PreviousAllocation: old.ID, Name: old.Name, Job: { Version: 1 } });
  });

  test("of a count changes what runs in place, adds the lowest index and takes the highest away", async () => {
    await host.register(aJob({}, { Count: 2 }));
    const before = host.live().map((a) => a.ID);
    await host.register(aJob({}, { Count: 4 }));
    expect(
      host
        .live()
        .map((a) => a.Name)
        .sort(),
    ).toEqual(["job.g[0]", "job.g[1]", "job.g[2]", "job.g[3]"]);
    for (const id of before) expect(host.alloc(id)).toMatchObject({ DesiredStatus: "run", Job: { Version: 1 } });
    await host.register(aJob({}, { Count: 1 }));
    expect(host.only().Name).toBe("job.g[0]");
  });

  test("rolls on by max_parallel as replacements become healthy, and ends as a success", async () => {
    const update = anUpdate({ MaxParallel: 2 });
    await host.register(aJob({}, { ...env(1), Count: 5, Update: update }));
    for (const a of host.live()) await host.healthy(a);
    await host.register(aJob({}, { ...env(2), Count: 5, Update: update }));
    const fresh = () => host.live().filter((a) => a.Job.Version === 1);
    expect(fresh()).toHaveLength(2);
    await host.healthy(fresh()[0] as never);
    expect(fresh()).toHaveLength(3);
    for (let round = 0; round < 6; round++) for (const a of fresh()) if (!a.DeploymentStatus) await host.healthy(a);
    expect(fresh()).toHaveLength(5);
    expect(host.live()).toHaveLength(5);
    const [deployment] = host.store.deploymentsOfJob("default", "job").filter((d) => d.JobVersion === 1);
    expect(deployment).toMatchObject({
      Status: "successful",
      StatusDescription: "Deployment completed successfully",
      TaskGroups: { g: { DesiredTotal: 5, PlacedAllocs: 5, HealthyAllocs: 5, UnhealthyAllocs: 0 } },
    });
    expect(host.job().Stable).toBe(true);
  });

  test("an unhealthy replacement holds the rest back until the deadline fails the deployment", async () => {
    const update = anUpdate({ MaxParallel: 1, ProgressDeadline: 60_000_000_000 });
    await host.register(aJob({}, { ...env(1), Count: 2, Update: update }));
    await host.register(aJob({}, { ...env(2), Count: 2, Update: update }));
    const [fresh] = host.live().filter((a) => a.Job.Version === 1);
    await host.healthy(fresh as never, false);
    await host.pass(30_000);
    expect(host.live().filter((a) => a.Job.Version === 0)).toHaveLength(1);
    const deployment = () => host.store.deploymentsOfJob("default", "job").find((d) => d.JobVersion === 1);
    expect(deployment()).toMatchObject({ Status: "running", TaskGroups: { g: { UnhealthyAllocs: 1 } } });
    await host.pass(31_000);
    expect(deployment()).toMatchObject({ Status: "failed", StatusDescription: "Failed due to progress deadline" });
    expect(host.live().filter((a) => a.Job.Version === 0)).toHaveLength(1);
  });

  test("of a batch job replaces all at once", async () => {
    await host.register(aBatch({}, { ...env(1), Count: 4 }));
    await host.register(aBatch({}, { ...env(2), Count: 4 }));
    expect(host.live().map((a) => a.Job.Version)).toEqual([1, 1, 1, 1]);
    expect(host.store.deploymentsOfJob("default", "job")).toHaveLength(0);
  });

  test("a newer version cancels the deployment of the older one", async () => {
    await host.register(aJob({}, env(1)));
    await host.register(aJob({}, env(2)));
    expect(host.store.deploymentsOfJob("default", "job").map((d) => [d.JobVersion, d.Status])).toEqual([
      [0, "cancelled"],
      [1, "running"],
    ]);
  });
});

describe("stopping one allocation", () => {
  test("replaces it at once under the same name", async () => {
    await host.register(aJob());
    const old = host.only();
    const { EvalID, Index } = await host.jobs.stopAlloc(old.ID, { noShutdownDelay: true, reschedule: false });
    const next = host.only();
    expect(host.alloc(old.ID)).toMatchObject({
      DesiredStatus: "stop",
      DesiredDescription: "alloc is being migrated",
      DesiredTransition: { Migrate: true, NoShutdownDelay: true, Reschedule: false },
      NextAllocation: next.ID,
    });
    expect(next).toMatchObject({
      PreviousAllocation: old.ID,
      Name: old.Name,
      EvalID,
      DeploymentID: old.DeploymentID,
      RescheduleTracker: null,
    });
    expect(host.store.eval(EvalID)).toMatchObject({ TriggeredBy: "alloc-stop", Status: "complete", CreateIndex: Index });
  });

  test("of one that has ended makes an evaluation and nothing else", async () => {
    await host.register(aBatch());
    const alloc = host.only();
    await host.report(alloc, "complete");
    const before = host.alloc(alloc.ID);
    const { EvalID } = await host.jobs.stopAlloc(alloc.ID, stop);
    expect(host.alloc(alloc.ID)).toBe(before);
    expect(host.allocs()).toHaveLength(1);
    expect(host.store.eval(EvalID)).toMatchObject({ Status: "complete" });
  });

  test("twice is harmless", async () => {
    await host.register(aJob());
    const old = host.only();
    await host.jobs.stopAlloc(old.ID, stop);
    const next = host.only();
    await host.jobs.stopAlloc(old.ID, stop);
    expect(host.only()).toBe(next);
  });

  test("of a batch job leaves it stopped, also when the job is registered again; reschedule replaces it", async () => {
    await host.register(aBatch({}, { Count: 2 }));
    const [a, b] = host.live();
    await host.jobs.stopAlloc(a?.ID ?? "", stop);
    await host.stopped();
    await host.register(aBatch({}, { Count: 2 }));
    expect(host.live().map((x) => x.ID)).toEqual([b?.ID]);
    await host.jobs.stopAlloc(b?.ID ?? "", { ...stop, reschedule: true });
    expect(host.only()).toMatchObject({ PreviousAllocation: b?.ID, Name: b?.Name });
  });

  test("that is unknown is refused", async () => {
    await expect(host.jobs.stopAlloc("00000000-1111-2222-3333-444444444444", stop)).rejects.toMatchObject({
      status: 404,
      message: "allocation not found",
    });
  });

  test("of one that holds a static port lets the replacement have it", async () => {
    const http = { Label: "http", Value: 8080, To: 0, HostNetwork: "default" };
    const network = { Mode: "host", Device: "", CIDR: "", IP: "", MBits: 0, ReservedPorts: [http], DynamicPorts: null };
    await host.register(aJob({}, { Networks: [network] }));
    const { EvalID } = await host.jobs.stopAlloc(host.only().ID, stop);
    expect(host.store.eval(EvalID)?.FailedTGAllocs).toBeNull();
    expect(host.only().AllocatedResources.Shared.Ports).toMatchObject([{ Value: 8080 }]);
  });
});

describe("a failure", () => {
  const retried = (change = {}) => aBatch({}, { ReschedulePolicy: aPolicy(change) });

  test("is rescheduled after the delay, as often as the policy says", async () => {
    await host.register(retried());
    const old = host.only();
    await host.report(old, "failed");
    expect(host.live()).toHaveLength(0);
    const followup = host.store.eval(host.alloc(old.ID).FollowupEvalID);
    expect(followup).toMatchObject({ Status: "pending", TriggeredBy: "alloc-failure" });
    expect(host.job().Status).toBe("pending");
    await host.pass(4_000);
    expect(host.live()).toHaveLength(0);
    await host.pass(2_000);
    const next = host.only();
    expect(next).toMatchObject({
      PreviousAllocation: old.ID,
      Name: old.Name,
      EvalID: followup?.ID,
      RescheduleTracker: { Events: [{ PrevAllocID: old.ID, PrevNodeID: old.NodeID, Delay: 5_000_000_000 }], LastReschedule: "ok" },
    });
    expect(host.alloc(old.ID)).toMatchObject({
      DesiredStatus: "stop",
      DesiredDescription: "",
      NextAllocation: next.ID,
      FollowupEvalID: followup?.ID,
      ClientStatus: "failed",
    });
    await host.report(next, "failed");
    await host.pass(3_600_000);
    expect(host.allocs()).toHaveLength(2);
    expect(host.job().Status).toBe("dead");
  });

  test.each([
    ["service", aJob()],
    ["batch", aBatch()],
  ])("of a %s without attempts stays failed, also when the job is registered again", async (_type, job) => {
    await host.register(job);
    await host.report(host.only(), "failed");
    await host.register(job);
    await host.pass(3_600_000);
    expect(host.allocs()).toMatchObject([{ ClientStatus: "failed", DesiredStatus: "run" }]);
    expect(host.job().Status).toBe("dead");
  });

  test("is replaced by a new version", async () => {
    await host.register(aJob({}, env(1)));
    await host.report(host.only(), "failed");
    await host.register(aJob({}, env(2)));
    expect(host.only().Job.Version).toBe(1);
  });

  test("of several at about the same time shares one follow-up, which comes early for none", async () => {
    await host.register(aBatch({}, { Count: 3, ReschedulePolicy: aPolicy() }));
    const failed = host.live();
    await host.store.commit(failed.map((a) => ({ kind: "alloc-observed", id: a.ID, patch: { ClientStatus: "failed" } })));
    await host.settle();
    const [followup, ...others] = new Set(failed.map((a) => host.alloc(a.ID).FollowupEvalID));
    expect(others).toEqual([]);
    for (const a of failed)
      expect(host.store.eval(followup ?? "")?.WaitUntil).toBeGreaterThanOrEqual(host.alloc(a.ID).ModifyTime - 1_000n + 5_000_000_000n);
    await host.pass(5_001);
    expect(host.live()).toHaveLength(3);
  });
});

test("a batch allocation that has completed is done: the job is dead and never runs it again", async () => {
  await host.register(aBatch());
  await host.report(host.only(), "complete");
  expect(host.job().Status).toBe("dead");
  await host.register(aBatch());
  expect(host.allocs()).toHaveLength(1);
});

test.each(["system", "sysbatch"] as const)("a %s job runs once on this node, whatever its count", async (Type) => {
  await host.register(aBatch({ Type }, { Count: 5 }));
  const old = host.only();
  expect(old.Name).toBe("job.g[0]");
  await host.jobs.stopAlloc(old.ID, { ...stop, reschedule: true });
  expect(host.only().PreviousAllocation).toBe(old.ID);
});

/** The host of a test, exchanged for one with another node. */
async function replaced(node: ReturnType<typeof aNode>): Promise<Host> {
  await host.close();
  return Host.started(node);
}
