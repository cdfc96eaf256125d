import { aGroup, aJob, aNetwork, aNode, anAlloc, aPort, aTask } from "../jobs/testing/fixtures.js";
import type { Allocation } from "./allocation.js";
import { costOf, Usage } from "./fit.js";
import type { Job, Task, TaskGroup } from "./job.js";
import type { Node } from "./node.js";
import { globMatches, type PlacementSources, placeGroup } from "./placement.js";

const sources = (change: Partial<PlacementSources> = {}): PlacementSources => {
  let clock = 0;
  return { random: () => 0, elapsedNs: () => (clock += 500), portInUse: () => false, ...change };
};

const place = (
  group: Partial<TaskGroup> = {},
  {
    node = aNode(),
    job = {},
    used = [],
    waitsFor = "",
    from = sources(),
  }: { node?: Node; job?: Partial<Job>; used?: readonly Allocation[]; waitsFor?: string; from?: PlacementSources } = {},
) => {
  const whole = aJob(job, group);
  return placeGroup(whole, aGroup(group), node, Usage.of(used), from, { waitsFor: [waitsFor] });
};

const resources = (change: Partial<Task["Resources"]>): Task["Resources"] => ({ ...aTask().Resources, ...change });
const using = (change: Partial<Task["Resources"]>, more: Partial<Allocation> = {}): Allocation => {
  const result = place({ Tasks: [aTask({ Resources: resources(change) })] });
  if (!result.fits) throw new Error("the fixture does not fit");
  return anAlloc(aJob(), { AllocatedResources: result.resources, ...more });
};

test("what fits gets its resources and says how it was found", () => {
  const result = place({ Tasks: [aTask(), aTask({ Name: "side", Lifecycle: { Hook: "prestart", Sidecar: true } })] });
  expect(result).toMatchObject({
    fits: true,
    resources: {
      Tasks: { t: { Cpu: { CpuShares: 100, ReservedCores: null }, Memory: { MemoryMB: 100 }, Networks: null }, side: {} },
      TaskLifecycles: { t: null, side: { Hook: "prestart", Sidecar: true } },
      Shared: { DiskMB: 10, Networks: null, Ports: null },
    },
    metrics: { NodesEvaluated: 1, NodesFiltered: 0, NodesExhausted: 0, NodesAvailable: { dc1: 1 }, NodesInPool: 1, AllocationTime: 500 },
  });
});

test.each<[string, Partial<TaskGroup>, string]>([
  ["CPU", { Tasks: [aTask({ Resources: resources({ CPU: 4_001 }) })] }, "cpu"],
  ["memory", { Tasks: [aTask({ Resources: resources({ MemoryMB: 8_001 }) })] }, "memory"],
  ["disk", { EphemeralDisk: { Sticky: false, SizeMB: 100_001, Migrate: false } }, "disk"],
  ["cores", { Tasks: [aTask({ Resources: resources({ Cores: 5 }) })] }, "cores"],
  [
    "a static port",
    { Networks: [aNetwork({ ReservedPorts: [aPort("a", 80), aPort("http", 80)] })] },
    "network: reserved port collision http=80",
  ],
])("too much %s is told by its dimension", (_name, group, dimension) => {
  expect(place(group)).toMatchObject({
    fits: false,
    metrics: { NodesEvaluated: 1, NodesExhausted: 1, DimensionExhausted: { [dimension]: 1 } },
  });
});

test("what the node keeps for itself is not given away", () => {
  const node = aNode({ Reserved: { CpuShares: 3_950, Cores: 0, MemoryMB: 0, DiskMB: 0 } });
  expect(place({}, { node })).toMatchObject({ fits: false, metrics: { DimensionExhausted: { cpu: 1 } } });
});

test.each<[string, Partial<Node>, Partial<Job>, object]>([
  [
    "a driver that is not there",
    { Drivers: {} },
    {},
    { NodesFiltered: 1, ConstraintFiltered: { "missing drivers": 1 }, NodesEvaluated: 1 },
  ],
  ["another datacenter", {}, { Datacenters: ["dc2", "eu-*"] }, { NodesEvaluated: 0, NodesAvailable: {} }],
  ["another node pool", {}, { NodePool: "gpu" }, { NodesInPool: 0, NodesEvaluated: 0 }],
  ["a node that takes nothing", { SchedulingEligibility: "ineligible" }, {}, { NodesAvailable: { dc1: 0 }, NodesExhausted: 0 }],
])("never placed: %s", (_name, node, job, metrics) => {
  expect(place({}, { node: aNode(node), job })).toMatchObject({ fits: false, metrics });
});

test.each([
  ["*", "dc1", true],
  ["dc*", "dc1", true],
  ["dc?", "dc1", false],
  ["dc1", "dc10", false],
  ["a.c", "abc", false],
])("datacenter %s takes %s: %s", (pattern, name, want) => {
  expect(globMatches(pattern, name)).toBe(want);
});

test("group ports and those of a task's own networks are given out together", () => {
  const result = place({
    Networks: [aNetwork({ DynamicPorts: [aPort("http", 0, 80)] })],
    Tasks: [aTask({ Resources: resources({ Networks: [aNetwork({ MBits: 10, DynamicPorts: [aPort("db")] })] }) })],
  });
  expect(result).toMatchObject({
    resources: {
      Shared: {
        Networks: [{ IP: "127.0.0.1", DynamicPorts: [{ Label: "http", Value: 20_000, To: 80 }] }],
        Ports: [
          { Label: "http", Value: 20_000, To: 80, HostIP: "127.0.0.1" },
          { Label: "db", Value: 20_001, HostIP: "127.0.0.1" },
        ],
      },
      Tasks: { t: { Networks: [{ IP: "127.0.0.1", Device: "lo", MBits: 10, DynamicPorts: [{ Label: "db", Value: 20_001 }] }] } },
    },
  });
});

test("cores are picked whole, and their shares count as CPU", () => {
  const other = using({ Cores: 1 });
  const result = place({ Tasks: [aTask({ Resources: resources({ Cores: 2 }) })] }, { used: [other] });
  expect(result).toMatchObject({ resources: { Tasks: { t: { Cpu: { CpuShares: 2_000, ReservedCores: [1, 2] } } } } });
});

describe("what is used", () => {
  test("an allocation that is stopping counts until its tasks are gone", () => {
    const big = { Tasks: [aTask({ Resources: resources({ MemoryMB: 5_000 }) })] };
    const stopping = using({ MemoryMB: 5_000 }, { DesiredStatus: "stop", ClientStatus: "running" });
    expect(place(big, { used: [stopping] }).fits).toBe(false);
    expect(place(big, { used: [{ ...stopping, ClientStatus: "complete" }] }).fits).toBe(true);
  });

  test("a replacement may have what the one it waits for still holds, ports too", () => {
    const group = {
      Networks: [aNetwork({ ReservedPorts: [aPort("http", 80)] })],
      Tasks: [aTask({ Resources: resources({ MemoryMB: 5_000 }) })],
    };
    const first = place(group);
    if (!first.fits) throw new Error("the fixture does not fit");
    const old = anAlloc(aJob(), { AllocatedResources: first.resources, DesiredStatus: "stop" });
    expect(place(group, { used: [old], waitsFor: old.ID }).fits).toBe(true);
    expect(place(group, { used: [old] }).fits).toBe(false);
  });

  test("a replacement that waits is not counted twice, but counts once its predecessor is gone", () => {
    const old = using({ CPU: 1_000, MemoryMB: 1_000 }, { DesiredStatus: "stop" });
    const next = using({ CPU: 1_500, MemoryMB: 500 }, { PreviousAllocation: old.ID, ClientStatus: "pending" });
    expect([Usage.of([old, next]).cpu, Usage.of([old, next]).memory]).toEqual([1_500, 1_000]);
    expect([Usage.of([{ ...old, ClientStatus: "complete" }, next]).cpu, Usage.of([next]).memory]).toEqual([1_500, 500]);
  });

  test("tasks that never run at the same time share; sidecars run beside all", () => {
    const task = (Name: string, CPU: number, Lifecycle: Task["Lifecycle"] = null) =>
      aTask({ Name, Lifecycle, Resources: resources({ CPU }) });
    const result = place({
      Tasks: [
        task("init", 300, { Hook: "prestart", Sidecar: false }),
        task("side", 10, { Hook: "prestart", Sidecar: true }),
        task("a", 100),
        task("b", 100, { Hook: "poststart", Sidecar: false }),
        task("end", 50, { Hook: "poststop", Sidecar: false }),
      ],
    });
    if (!result.fits) throw new Error("does not fit");
    expect(costOf(result.resources).cpu).toBe(310);
  });
});

test("a dynamic port is not the one that the predecessor still listens on", () => {
  const group = { Networks: [aNetwork({ DynamicPorts: [aPort("http")] })] };
  const first = place(group);
  if (!first.fits) throw new Error("the fixture does not fit");
  const old = anAlloc(aJob(), { AllocatedResources: first.resources });
  expect(place(group, { used: [old], waitsFor: old.ID })).toMatchObject({ resources: { Shared: { Ports: [{ Value: 20_001 }] } } });
});
