import { isSatisfied } from "./constraint.js";
import type { Peer } from "./feasibility.js";
import { nodeLookup } from "./interpolate.js";
import type { Job, TaskGroup } from "./job.js";
import type { Node } from "./node.js";

/** What a node is worth to a group, by what was judged. Source: Nomad's rank iterators. */
export interface NodeScore {
  readonly Scores: Readonly<Record<string, number>>;
  /** The mean of those that say something. */
  readonly NormScore: number;
}

/** @param isRetry whether the last attempt failed on this very node. */
export function scoreNode(
  job: Job,
  group: TaskGroup,
  node: Node,
  room: { readonly cpu: number; readonly memory: number; readonly peers: readonly Peer[]; readonly isRetry: boolean },
): NodeScore {
  const beside = room.peers.filter((peer) => peer.TaskGroup === group.Name).length;
  const Scores = {
    binpack: binpack(node, room.cpu, room.memory),
    "job-anti-affinity": beside > 0 ? -(beside + 1) / Math.max(1, group.Count) : 0,
    "node-affinity": affinity(job, group, node),
    "node-reschedule-penalty": room.isRetry ? -1 : 0,
  };
  const telling = Object.entries(Scores).flatMap(([name, score]) => (name === "binpack" || score !== 0 ? [score] : []));
  return { Scores, NormScore: telling.reduce((sum, score) => sum + score, 0) / telling.length };
}

/** 0 for an empty node, 1 for a full one. Source: Nomad's ScoreFitBinPack, normalised. */
function binpack(node: Node, cpu: number, memory: number): number {
  const free = (used: number, total: number, reserved: number): number => 1 - used / Math.max(1, total - reserved);
  const score =
    20 -
    10 ** free(cpu, node.Resources.CpuShares, node.Reserved.CpuShares) -
    10 ** free(memory, node.Resources.MemoryMB, node.Reserved.MemoryMB);
  return Math.min(1, Math.max(0, score / 18));
}

/** -1 to 1: the weights of the affinities that hold, by the weights of all. */
function affinity(job: Job, group: TaskGroup, node: Node): number {
  const all = [...(job.Affinities ?? []), ...(group.Affinities ?? []), ...group.Tasks.flatMap((task) => task.Affinities ?? [])];
  const lookup = nodeLookup(node, job.Region);
  const total = all.reduce((sum, { Weight }) => sum + Math.abs(Weight), 0);
  const met = all.reduce((sum, each) => (isSatisfied(each, lookup) ? sum + each.Weight : sum), 0);
  return total > 0 ? met / total : 0;
}
