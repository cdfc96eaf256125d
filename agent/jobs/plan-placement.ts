import {
  type Allocation,
  type AllocMetric,
  type DesiredAllocation,
  type DesiredTransition,
  isClientTerminal,
  isDesiredTerminal,
} from "../model/allocation.js";
import { type Decision, isSystem, type Placement } from "../model/decision.js";
import type { Deployment } from "../model/deployment.js";
import type { Peer } from "../model/feasibility.js";
import { type PlacementResult, placeGroup, type Rejection } from "../model/placement.js";
import { pickVictims, preemptible } from "../model/preemption.js";
import type { PlanInput } from "./plan-input.js";

export interface Created {
  readonly placement: Placement;
  readonly alloc: DesiredAllocation;
  /** What gives way to it. */
  readonly victims: readonly Allocation[];
}

export interface Failure {
  readonly why: Rejection;
  readonly metrics: AllocMetric;
  /** How many of the group found no room. */
  readonly count: number;
}

export interface Placed {
  readonly created: readonly Created[];
  readonly failed: ReadonlyMap<string, Failure>;
}

type Fit = PlacementResult & { readonly fits: true };

const NO_TRANSITION: DesiredTransition = {
  Migrate: null,
  Reschedule: null,
  ForceReschedule: null,
  NoShutdownDelay: null,
  MigrateDisablePlacement: null,
};

/** Finds room for what was decided, one after the other. */
export function placeAll(input: PlanInput, decision: Decision, evalId: string, deployment: Deployment | null): Placed {
  const { job, usage, sources } = input;
  const created: Created[] = [];
  const failed = new Map<string, Failure>();
  const peers = peersOf(input, decision);
  let candidates = input.preemptible;
  for (const placement of job ? decision.place : []) {
    const { group, previous } = placement;
    const full = failed.get(group.Name);
    const others = new Map(peers);
    if (previous) others.delete(previous.ID);
    // After the first that has no room the rest of the group has none either, unless it takes another one's place.
    const { result, victims } = full && !previous ? NOT_TRIED : find(input, placement, [...others.values()], candidates);
    if (!result?.fits) {
      const failure = full ?? (result && { why: result.why, metrics: result.metrics });
      // A system job runs on the nodes that are for it: that this one is none is no failure.
      const isMeant = !(job && isSystem(job)) || failure?.why === "exhausted";
      if (failure && isMeant) failed.set(group.Name, { ...failure, count: (full?.count ?? 0) + 1 });
      continue;
    }
    const id = sources.newId();
    usage.add(id, result.cost, usage.costOfAll([previous?.ID ?? "", ...victims.map((victim) => victim.ID)]));
    candidates = candidates.filter((candidate) => !victims.includes(candidate));
    if (previous) peers.delete(previous.ID);
    peers.set(id, { TaskGroup: group.Name });
    created.push({ placement, victims, alloc: newAlloc(input, placement, { id, evalId, result, victims, deployment }) });
  }
  return { created, failed };
}

const NOT_TRIED = { result: null, victims: [] as readonly Allocation[] };

function find(
  { node, usage, sources }: PlanInput,
  { job, group, previous, tracker }: Placement,
  peers: readonly Peer[],
  candidates: readonly Allocation[],
): { readonly result: PlacementResult; readonly victims: readonly Allocation[] } {
  const attempt = (victims: readonly Allocation[]): PlacementResult => {
    const waitsFor = [previous?.ID ?? "", ...victims.map((victim) => victim.ID)];
    return placeGroup(job, group, node, usage, sources, { waitsFor, peers, isRetry: tracker !== null });
  };
  const plain = attempt([]);
  if (plain.fits || plain.why !== "exhausted") return { result: plain, victims: [] };
  // An older version may be less important than the job is now.
  const picked = pickVictims<Fit>(preemptible(job, candidates), (victims) => {
    const result = attempt(victims);
    return result.fits ? result : null;
  });
  return picked ?? { result: plain, victims: [] };
}

/** The job's allocations that stay on the node, by id. */
function peersOf({ job, allocs }: PlanInput, decision: Decision): Map<string, Peer> {
  const stopping = new Set(decision.stop.map(({ alloc }) => alloc.ID));
  const stay = allocs.filter(
    (a) => !a.Ingested && a.Job.CreateIndex === job?.CreateIndex && !isClientTerminal(a) && !isDesiredTerminal(a) && !stopping.has(a.ID),
  );
  return new Map(stay.map((a) => [a.ID, { TaskGroup: a.TaskGroup }]));
}

function newAlloc(
  { namespace, jobId, node, job }: PlanInput,
  { job: version, group, name, previous, tracker }: Placement,
  found: {
    readonly id: string;
    readonly evalId: string;
    readonly result: Fit;
    readonly victims: readonly Allocation[];
    readonly deployment: Deployment | null;
  },
): DesiredAllocation {
  const ofDeployment = found.deployment?.TaskGroups[group.Name] ? found.deployment.ID : "";
  return {
    ID: found.id,
    Namespace: namespace,
    EvalID: found.evalId,
    Name: name,
    NodeID: node.ID,
    NodeName: node.Name,
    JobID: jobId,
    Job: version,
    TaskGroup: group.Name,
    AllocatedResources: found.result.resources,
    Metrics: found.result.metrics,
    DesiredStatus: "run",
    DesiredDescription: "",
    DesiredTransition: NO_TRANSITION,
    PreviousAllocation: previous?.ID ?? "",
    NextAllocation: "",
    DeploymentID: version === job ? ofDeployment : (previous?.DeploymentID ?? ""),
    RescheduleTracker: tracker,
    FollowupEvalID: "",
    PreemptedAllocations: found.victims.length > 0 ? found.victims.map((victim) => victim.ID) : null,
    PreemptedByAllocation: "",
    Ingested: false,
    SourceIndex: 0,
  };
}
