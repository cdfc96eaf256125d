import type { AllocatedPort, AllocatedResources, AllocatedTaskResources, AllocMetric } from "./allocation.js";
import { type Cost, costOf, type Usage } from "./fit.js";
import type { Job, NetworkResource, TaskGroup } from "./job.js";
import type { Node } from "./node.js";
import { grantNetwork, type PortSpace, PortsExhausted } from "./ports.js";
import { missingVolume } from "./volumes.js";

/** What a placement takes from outside, so that it stays a function of its arguments. */
export interface PlacementSources {
  /** 0 up to, not including, 1. */
  readonly random: () => number;
  /** Nanoseconds since some fixed moment, for AllocationTime. */
  readonly elapsedNs: () => number;
  /** Whether something outside the agent's allocations listens on the port. */
  readonly portInUse: (port: number) => boolean;
}

export type PlacementResult =
  | { readonly fits: true; readonly resources: AllocatedResources; readonly cost: Cost; readonly metrics: AllocMetric }
  | { readonly fits: false; readonly metrics: AllocMetric };

/**
 * Finds room for one allocation of a group on this node.
 *
 * @param waitsFor the id of the allocation that the new one replaces and waits for: what that one holds is free for it.
 * @returns the resources that it gets, or metrics that say what did not fit. Source: reference behaviour, the placement Metrics.
 */
export function placeGroup(
  job: Job,
  group: TaskGroup,
  node: Node,
  usage: Usage,
  sources: PlacementSources,
  waitsFor = "",
): PlacementResult {
  const began = sources.elapsedNs();
  const reject = (part: Partial<AllocMetric>): PlacementResult => ({
    fits: false,
    metrics: { ...emptyMetric(node), ...part, AllocationTime: Math.max(1, sources.elapsedNs() - began) },
  });
  if (!inPool(job.NodePool, node.NodePool))
    return reject({ NodesInPool: 0, NodesAvailable: {}, NodePool: job.NodePool, NodesEvaluated: 0 });
  if (!job.Datacenters.some((pattern) => globMatches(pattern, node.Datacenter))) return reject({ NodesAvailable: {}, NodesEvaluated: 0 });
  if (node.Status !== "ready" || node.SchedulingEligibility !== "eligible") {
    return reject({ NodesAvailable: { [node.Datacenter]: 0 }, NodesEvaluated: 0 });
  }
  if (!group.Tasks.every((task) => node.Drivers[task.Driver]?.Healthy)) {
    return reject({ NodesFiltered: 1, ConstraintFiltered: { "missing drivers": 1 }, ...perClass(node, "ClassFiltered") });
  }

  const volume = missingVolume(group, node);
  if (volume) return reject({ NodesFiltered: 1, ConstraintFiltered: { [volume]: 1 }, ...perClass(node, "ClassFiltered") });

  const exhausted = (dimension: string): PlacementResult =>
    reject({ NodesExhausted: 1, DimensionExhausted: { [dimension]: 1 }, ...perClass(node, "ClassExhausted") });
  const resources = allocateResources(group, node, usage, sources, waitsFor);
  if (typeof resources === "string") return exhausted(resources);
  const cost = costOf(resources);
  const dimension = usage.exhausted(node, cost, usage.costOf(waitsFor));
  if (dimension) return exhausted(dimension);

  const score = binpackScore(node, usage.cpu + cost.cpu, usage.memory + cost.memory);
  const metrics: AllocMetric = {
    ...emptyMetric(node),
    ScoreMetaData: [{ NodeID: node.ID, NormScore: score, Scores: { binpack: score } }],
    AllocationTime: Math.max(1, sources.elapsedNs() - began),
  };
  return { fits: true, resources, cost, metrics };
}

/** The resources of a new allocation, or the dimension that is exhausted. */
function allocateResources(
  group: TaskGroup,
  node: Node,
  usage: Usage,
  sources: PlacementSources,
  waitsFor: string,
): AllocatedResources | string {
  const given = new Set<number>();
  const inherited = new Set(usage.costOf(waitsFor)?.ports);
  const space: PortSpace = {
    ip: node.NetworkIP,
    device: node.NetworkDevice,
    min: node.MinDynamicPort,
    max: node.MaxDynamicPort,
    taken: (port) => given.has(port) || (usage.holder(port) !== undefined && !inherited.has(port)),
    // A dynamic port that the predecessor still listens on is not picked again: clients of the old one would find the new one.
    busy: (port) => inherited.has(port) || sources.portInUse(port),
    random: sources.random,
  };
  const ports: AllocatedPort[] = [];
  const grant = (network: NetworkResource): NetworkResource => {
    const granted = grantNetwork(network, space);
    for (const port of granted.ports) given.add(port.Value);
    ports.push(...granted.ports);
    return granted.network;
  };
  try {
    const shared = group.Networks?.map(grant) ?? null;
    const cores = new Set<number>();
    const tasks: [string, AllocatedTaskResources][] = [];
    for (const task of group.Tasks) {
      const reserved = pickCores(task.Resources.Cores, node, (core) => usage.hasCore(core) || cores.has(core));
      if (!reserved) return "cores";
      for (const core of reserved) cores.add(core);
      const own: AllocatedTaskResources = {
        Cpu: {
          CpuShares: reserved.length ? coreShares(node, reserved.length) : task.Resources.CPU,
          ReservedCores: reserved.length ? reserved : null,
        },
        Memory: { MemoryMB: task.Resources.MemoryMB, MemoryMaxMB: task.Resources.MemoryMaxMB },
        Networks: task.Resources.Networks?.map(grant) ?? null,
        Devices: null,
      };
      tasks.push([task.Name, own]);
    }
    return {
      Tasks: Object.fromEntries(tasks),
      TaskLifecycles: taskLifecycles(group),
      Shared: { DiskMB: group.EphemeralDisk.SizeMB, Networks: shared, Ports: ports.length ? ports : null },
    };
  } catch (error) {
    if (error instanceof PortsExhausted) return error.message;
    throw error;
  }
}

const taskLifecycles = (group: TaskGroup): AllocatedResources["TaskLifecycles"] =>
  Object.fromEntries(group.Tasks.map(({ Name, Lifecycle }) => [Name, Lifecycle && { Hook: Lifecycle.Hook, Sidecar: Lifecycle.Sidecar }]));

function pickCores(count: number, node: Node, taken: (core: number) => boolean): readonly number[] | null {
  if (count <= 0) return [];
  const free = Array.from({ length: node.Resources.Cores - node.Reserved.Cores }, (_, core) => core).filter((core) => !taken(core));
  return free.length >= count ? free.slice(0, count) : null;
}

const coreShares = (node: Node, cores: number): number => Math.floor((node.Resources.CpuShares / node.Resources.Cores) * cores);

const emptyMetric = (node: Node): AllocMetric => ({
  NodesEvaluated: 1,
  NodesFiltered: 0,
  NodesInPool: 1,
  NodePool: node.NodePool,
  NodesAvailable: { [node.Datacenter]: 1 },
  ClassFiltered: null,
  ConstraintFiltered: null,
  NodesExhausted: 0,
  ClassExhausted: null,
  DimensionExhausted: null,
  QuotaExhausted: null,
  ResourcesExhausted: null,
  Scores: null,
  ScoreMetaData: null,
  AllocationTime: 0,
  CoalescedFailures: 0,
});

const perClass = (node: Node, member: "ClassFiltered" | "ClassExhausted"): Partial<AllocMetric> =>
  node.NodeClass ? { [member]: { [node.NodeClass]: 1 } } : {};

const inPool = (wanted: string, own: string): boolean => wanted === own || wanted === "all" || wanted === "";

/** Nomad's datacenter patterns: `*` stands for any run of characters. */
export function globMatches(pattern: string, text: string): boolean {
  const escaped = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}$`).test(text);
}

/** 0 for an empty node, 1 for a full one. Source: Nomad's ScoreFitBinPack, normalised. */
function binpackScore(node: Node, cpu: number, memory: number): number {
  const free = (used: number, total: number, reserved: number): number => 1 - used / Math.max(1, total - reserved);
  const score =
    20 -
    10 ** free(cpu, node.Resources.CpuShares, node.Reserved.CpuShares) -
    10 ** free(memory, node.Resources.MemoryMB, node.Reserved.MemoryMB);
  return Math.min(1, Math.max(0, score / 18));
}
