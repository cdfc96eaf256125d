import type { AllocationIntake } from "../model/allocation-intake.js";
import { aBatch, aJob, aNetwork, aNode, anAlloc, anId, aPort, NODE_ID } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

let host: Host;
beforeEach(async () => {
  host = await Host.started();
});
afterEach(() => host.close());

function incoming(
  change: Partial<AllocationIntake> & { readonly ports?: readonly number[]; readonly memory?: number } = {},
): AllocationIntake {
  const { ports = [], memory = 100, ...members } = change;
  const { Ingested: _, SourceIndex: _index, AllocatedResources, ...alloc } = anAlloc(aJob({ ID: "in", Name: "in" }));
  const task = AllocatedResources.Tasks.t;
  return {
    ...alloc,
    ClientStatus: "pending",
    AllocModifyIndex: 100,
    AllocatedResources: {
      ...AllocatedResources,
      ...(task && { Tasks: { t: { ...task, Memory: { MemoryMB: memory, MemoryMaxMB: 0 } } } }),
      Shared: { DiskMB: 10, Networks: null, Ports: ports.map((Value) => ({ Label: `p${Value}`, Value, To: 0, HostIP: "127.0.0.1" })) },
    },
    ...members,
  };
}

const put = (a: AllocationIntake) => host.jobs.putAllocation(a.ID, a);

test("a whole allocation is taken, and belongs to this node", async () => {
  const a = incoming({ NodeID: "" });
  const { Index } = await put(a);
  expect(host.alloc(a.ID)).toMatchObject({
    NodeID: NODE_ID,
    NodeName: "host",
    Ingested: true,
    SourceIndex: 100,
    ClientStatus: "pending",
    CreateIndex: Index,
  });
});

test("the same again changes nothing and takes no index, whatever it says", async () => {
  const a = incoming();
  const { Index } = await put(a);
  await host.report(a, "running");
  const { index } = host.store;
  const before = host.alloc(a.ID);
  await expect(put({ ...a, DesiredStatus: "stop" })).resolves.toEqual({ Index: before.ModifyIndex });
  expect([host.store.index, host.alloc(a.ID), Index < before.ModifyIndex]).toEqual([index, before, true]);
});

test("a newer one stops it, and an index beyond 2^53 is compared digit for digit", async () => {
  const a = incoming({ AllocModifyIndex: 9_007_199_254_740_993n });
  await put(a);
  await expect(put({ ...a, AllocModifyIndex: 9_007_199_254_740_992n })).rejects.toMatchObject({ status: 409 });
  await put({ ...a, AllocModifyIndex: 9_007_199_254_740_994n, DesiredStatus: "stop", DesiredDescription: "moved" });
  expect(host.alloc(a.ID)).toMatchObject({ DesiredStatus: "stop", DesiredDescription: "moved", SourceIndex: 9_007_199_254_740_994n });
});

describe("refused, and nothing is stored:", () => {
  test("an id that is not the path's", async () => {
    const a = incoming();
    await expect(host.jobs.putAllocation(anId(), a)).rejects.toMatchObject({ status: 400, message: expect.stringContaining(a.ID) });
    expect(host.store.allocs()).toEqual([]);
  });

  test.each<[string, Partial<AllocationIntake>, string]>([
    ["another node's", { NodeID: anId() }, "NodeID"],
    ["one that is to stop and was never here", { DesiredStatus: "stop" }, "DesiredStatus stop"],
    ["one that has ended elsewhere", { ClientStatus: "failed" }, "ClientStatus failed"],
  ])("%s", async (_name, change, message) => {
    await expect(put(incoming(change))).rejects.toMatchObject({ status: 409, message: expect.stringContaining(message) });
    expect(host.store.allocs()).toEqual([]);
  });

  test("an older index", async () => {
    const a = incoming();
    await put(a);
    await expect(put({ ...a, AllocModifyIndex: 99, DesiredStatus: "stop" })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining("got 99"),
    });
    expect(host.alloc(a.ID).DesiredStatus).toBe("run");
  });

  test("a port that is taken, by a job's allocation or by one on its way to disk", async () => {
    await host.register(aJob({}, { Networks: [aNetwork({ ReservedPorts: [aPort("http", 8080)] })] }));
    await expect(put(incoming({ ports: [8080] }))).rejects.toMatchObject({
      status: 409,
      message: `port 8080 is taken by allocation ${host.only().ID}`,
    });
    const [first, second] = [incoming({ ports: [81] }), incoming({ ports: [81], JobID: "other", Job: aJob({ ID: "other" }) })];
    const results = await Promise.allSettled([put(first), put(second)]);
    expect(results.map((r) => r.status)).toEqual(["fulfilled", "rejected"]);
  });

  test("more memory than there is", async () => {
    await put(incoming({ memory: 7_000 }));
    const second = incoming({ memory: 1_500 });
    await expect(put(second)).rejects.toMatchObject({
      status: 409,
      message: `memory is exhausted on this node: allocation ${second.ID} asks for 1500 MiB, 1000 of 8000 MiB are free`,
    });
  });

  test("one that has ended and is to run again", async () => {
    const a = incoming();
    await put(a);
    await host.report(a, "failed");
    await expect(put({ ...a, AllocModifyIndex: 101 })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining("does not run again"),
    });
  });

  test("one that was told to stop and is to run again", async () => {
    const a = incoming();
    await put(a);
    await put({ ...a, AllocModifyIndex: 101, DesiredStatus: "stop" });
    await expect(put({ ...a, AllocModifyIndex: 102 })).rejects.toMatchObject({ status: 409 });
  });

  test("other resources for one that is there", async () => {
    const a = incoming();
    await put(a);
    const more = incoming({ ...a, AllocModifyIndex: 101, AllocatedResources: incoming({ memory: 200 }).AllocatedResources });
    await expect(put(more)).rejects.toMatchObject({ status: 409, message: expect.stringContaining("AllocatedResources") });
  });

  test("one that a job of this host placed", async () => {
    await host.register(aJob());
    const { ID } = host.only();
    await expect(put(incoming({ ID, JobID: "job", Job: aJob(), Name: "job.g[0]" }))).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining("job of this host"),
    });
  });
});

describe("removal", () => {
  test("of a running one is refused, of an ended one leaves a tombstone", async () => {
    const a = incoming();
    await put(a);
    await expect(host.jobs.deleteAllocation(a.ID)).rejects.toMatchObject({ status: 409, message: expect.stringContaining("pending") });
    await host.report(a, "complete");
    await host.jobs.deleteAllocation(a.ID);
    expect(host.store.alloc(a.ID)).toBeUndefined();
    await expect(put({ ...a, AllocModifyIndex: 999 })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining("was removed"),
    });
  });

  test("of an unknown one is refused", async () => {
    await expect(host.jobs.deleteAllocation(anId())).rejects.toMatchObject({ status: 404, message: "alloc not found" });
  });
});

describe("beside jobs of this host", () => {
  test("the stop API records an evaluation and places no replacement", async () => {
    const a = incoming();
    await put(a);
    const { EvalID, Index } = await host.jobs.stopAlloc(a.ID, { noShutdownDelay: false, reschedule: true });
    await host.settle();
    expect(host.alloc(a.ID)).toMatchObject({
      DesiredStatus: "stop",
      AllocModifyIndex: Index,
      DesiredTransition: { Migrate: true, Reschedule: true },
    });
    expect(host.store.eval(EvalID)).toMatchObject({ TriggeredBy: "alloc-stop", Status: "complete", JobID: "in", QueuedAllocations: null });
    expect(host.store.allocs()).toHaveLength(1);
  });

  test("a failed one is left to its control plane, also under the name of a job that is known", async () => {
    await host.register(aBatch({ ID: "in", Name: "in" }));
    const a = incoming();
    await put(a);
    await host.report(a, "failed");
    expect(host.allocs("in")).toHaveLength(2);
    await host.jobs.deregister("default", "in", { purge: true, noShutdownDelay: false });
    await host.stopped();
    expect(host.allocs("in").map((x) => x.ID)).toEqual([a.ID]);
  });

  test("its end makes room for a job that waits", async () => {
    const a = incoming({ memory: 8_000 });
    await put(a);
    await host.register(aJob());
    expect(host.live()).toHaveLength(0);
    await host.report(a, "complete");
    expect(host.live()).toHaveLength(1);
  });

  test("a replacement may be handed in while its predecessor still stops", async () => {
    const a = incoming({ memory: 8_000, ports: [81] });
    await put(a);
    await put({ ...a, AllocModifyIndex: 101, DesiredStatus: "stop" });
    await put(incoming({ memory: 8_000, ports: [81], PreviousAllocation: a.ID }));
    expect(host.live("in")).toHaveLength(1);
  });
});

test("the node's reservation counts for allocations that are handed in", async () => {
  await host.setNode(aNode({ Reserved: { CpuShares: 0, Cores: 0, MemoryMB: 7_950, DiskMB: 0 } }));
  await expect(put(incoming())).rejects.toMatchObject({ message: expect.stringContaining("50 of 50 MiB are free") });
});
