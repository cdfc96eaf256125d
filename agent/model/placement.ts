import type { AllocatedPort, AllocatedResources, AllocatedTaskResources, AllocMetric } from "./allocation.js";
import { type Peer, whyFiltered } from "./feasibility.js";
import { type Cost, costOf, type Usage } from "./fit.js";
import type { Job, NetworkResource, TaskGroup } from "./job.js";
import type { Node } from "./node.js";
import { grantNetwork, type PortSpace, PortsExhausted } from "./ports.js";
import { scoreNode } from "./score.js";
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
  | { readonly fits: false; readonly why: Rejection; readonly metrics: AllocMetric };

/** Not a node for the job at all, not one for the group, or one without room. */
export type Rejection = "elsewhere" | "filtered" | "exhausted";

/** What else bears on a placement. */
export interface PlacementContext {
  /** Allocations that the new one replaces and waits for: what they hold is free for it. */
  readonly waitsFor?: readonly string[];
  /** Other allocations of the job that are wanted on the node. */
  readonly peers?: readonly Peer[];
  /** The one that it replaces has failed. */
  readonly isRetry?: boolean;
}

/**
 * Finds room for one allocation of a group on this node.
 *
 * @returns the resources that it gets, or metrics that say what did not fit. Source: reference behaviour, the placement Metrics.
 */
export function placeGroup(
  job: Job,
  group: TaskGroup,
  node: Node,
  usage: Usage,
  sources: PlacementSources,
  { waitsFor = [], peers = [], isRetry = false }: PlacementContext = {},
): PlacementResult {
  const began = sources.elapsedNs();
  const reject = (why: Rejection, part: Partial<AllocMetric>): PlacementResult => ({
    fits: false,
    why,
    metrics: { ...emptyMetric(node), ...part, AllocationTime: Math.max(1, sources.elapsedNs() - began) },
  });
  if (!inPool(job.NodePool, node.NodePool))
    return reject("elsewhere", { NodesInPool: 0, NodesAvailable: {}, NodePool: job.NodePool, NodesEvaluated: 0 });
  if (!job.Datacenters.some((pattern) => globMatches(pattern, node.Datacenter)))
    return reject("elsewhere", { NodesAvailable: {}, NodesEvaluated: 0 });
  if (node.Status !== "ready" || node.SchedulingEligibility !== "eligible") {
    return reject("elsewhere", { NodesAvailable: { [node.Datacenter]: 0 }, NodesEvaluated: 0 });
  }
  const filtered = whyFiltered(job, group, node, peers);
  if (filtered !== null) {
    return reject("filtered", { NodesFiltered: 1, ConstraintFiltered: { [filtered]: 1 }, ...perClass(node, "ClassFiltered") });
  }

  const volume = missingVolume(group, node);
  if (volume) return reject("filtered", { NodesFiltered: 1, ConstraintFiltered: { [volume]: 1 }, ...perClass(node, "ClassFiltered") });

  const exhausted = (dimension: string): PlacementResult =>
    reject("exhausted", { NodesExhausted: 1, DimensionExhausted: { [dimension]: 1 }, ...perClass(node, "ClassExhausted") });
  const freed = usage.costOfAll(waitsFor);
  const resources = allocateResources(group, node, usage, sources, freed);
  if (typeof resources === "string") return exhausted(resources);
  const cost = costOf(resources);
  const dimension = usage.exhausted(node, cost, freed);
  if (dimension) return exhausted(dimension);

  const score = scoreNode(job, group, node, { cpu: usage.cpu + cost.cpu, memory: usage.memory + cost.memory, peers, isRetry });
  const metrics: AllocMetric = {
    ...emptyMetric(node),
    ScoreMetaData: [{ NodeID: node.ID, ...score }],
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
  freed: Cost,
): AllocatedResources | string {
  const given = new Set<number>();
  const inherited = new Set(freed.ports);
  const freedCores = new Set(freed.cores);
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
      const reserved = pickCores(task.Resources.Cores, node, (core) => (usage.hasCore(core) && !freedCores.has(core)) || cores.has(core));
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
