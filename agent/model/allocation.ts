import type { Job, NetworkResource, Port, Resources, TaskGroup } from "./job.js";
import type { TaskState } from "./task-state.js";
import type { UnixNano } from "./units.js";

export type DesiredStatus = "run" | "stop" | "evict";
export type ClientStatus = "pending" | "running" | "complete" | "failed" | "lost" | "unknown";

/**
 * One placement of a task group on this host, as an immutable snapshot: every change makes a new object, so that
 * an encoding may be cached under the object itself.
 *
 * Three writers, of disjoint members: whoever places and stops it (the desired members), its alloc runner
 * (the observed ones) and the store (the stamps).
 */
export interface Allocation extends DesiredAllocation, ObservedAllocation, AllocationStamps {}

/** Desired: written by the scheduler or a control plane. */
export interface DesiredAllocation {
  readonly ID: string;
  readonly Namespace: string;
  readonly EvalID: string;
  readonly Name: string;
  readonly NodeID: string;
  readonly NodeName: string;
  readonly JobID: string;
  /** The copy of the job at the time of placement. Shared by reference between allocations of one version. */
  readonly Job: Job;
  readonly TaskGroup: string;
  readonly AllocatedResources: AllocatedResources;
  readonly Metrics: AllocMetric | null;
  readonly DesiredStatus: DesiredStatus;
  readonly DesiredDescription: string;
  readonly DesiredTransition: DesiredTransition;
  readonly PreviousAllocation: string;
  readonly NextAllocation: string;
  readonly DeploymentID: string;
  readonly RescheduleTracker: RescheduleTracker | null;
  readonly FollowupEvalID: string;
  readonly PreemptedAllocations: readonly string[] | null;
  readonly PreemptedByAllocation: string;
  /** True when a control plane handed the allocation in: it is never replaced by our own scheduler. */
  readonly Ingested: boolean;
  /** Ingested only: the AllocModifyIndex that the control plane gave, which orders its repeats. */
  readonly SourceIndex: number | bigint;
}

/** Observed: written by the alloc runner alone. */
export interface ObservedAllocation {
  readonly ClientStatus: ClientStatus;
  readonly ClientDescription: string;
  readonly TaskStates: Readonly<Record<string, TaskState>> | null;
  readonly DeploymentStatus: AllocDeploymentStatus | null;
  readonly NetworkStatus: AllocNetworkStatus | null;
}

/** Written by the store. */
export interface AllocationStamps {
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly AllocModifyIndex: number;
  readonly CreateTime: UnixNano;
  readonly ModifyTime: UnixNano;
}

export interface DesiredTransition {
  readonly Migrate: boolean | null;
  readonly Reschedule: boolean | null;
  readonly ForceReschedule: boolean | null;
  readonly NoShutdownDelay: boolean | null;
  readonly MigrateDisablePlacement: boolean | null;
}

export interface AllocDeploymentStatus {
  readonly Healthy: boolean | null;
  readonly Timestamp: UnixNano | null;
  readonly Canary: boolean;
  readonly ModifyIndex: number;
}

export interface AllocNetworkStatus {
  readonly InterfaceName: string;
  readonly Address: string;
  readonly AddressIPv6: string;
  readonly DNS: unknown;
}

export interface RescheduleTracker {
  readonly Events: readonly RescheduleEvent[] | null;
  readonly LastReschedule: string;
}

export interface RescheduleEvent {
  readonly RescheduleTime: UnixNano;
  readonly PrevAllocID: string;
  readonly PrevNodeID: string;
  /** Nanoseconds. */
  readonly Delay: number | bigint;
}

export interface AllocatedResources {
  readonly Tasks: Readonly<Record<string, AllocatedTaskResources>>;
  readonly TaskLifecycles: Readonly<Record<string, { readonly Hook: string; readonly Sidecar: boolean } | null>>;
  readonly Shared: {
    readonly DiskMB: number;
    readonly Networks: readonly NetworkResource[] | null;
    readonly Ports: readonly AllocatedPort[] | null;
  };
}

export interface AllocatedTaskResources {
  readonly Cpu: { readonly CpuShares: number; readonly ReservedCores: readonly number[] | null };
  readonly Memory: { readonly MemoryMB: number; readonly MemoryMaxMB: number };
  readonly Networks: readonly NetworkResource[] | null;
  readonly Devices: null;
}

export interface AllocatedPort extends Omit<Port, "HostNetwork"> {
  readonly HostIP: string;
}

export interface AllocMetric {
  readonly NodesEvaluated: number;
  readonly NodesFiltered: number;
  readonly NodesInPool: number;
  readonly NodePool: string;
  readonly NodesAvailable: Readonly<Record<string, number>>;
  readonly ClassFiltered: Readonly<Record<string, number>> | null;
  readonly ConstraintFiltered: Readonly<Record<string, number>> | null;
  readonly NodesExhausted: number;
  readonly ClassExhausted: Readonly<Record<string, number>> | null;
  readonly DimensionExhausted: Readonly<Record<string, number>> | null;
  readonly QuotaExhausted: null;
  readonly ResourcesExhausted: Readonly<Record<string, Partial<Resources>>> | null;
  readonly Scores: Readonly<Record<string, number>> | null;
  readonly ScoreMetaData: readonly unknown[] | null;
  /** Nanoseconds. */
  readonly AllocationTime: number;
  readonly CoalescedFailures: number;
}

/** A client-terminal allocation never runs again. */
export const isClientTerminal = (a: Pick<Allocation, "ClientStatus">): boolean =>
  a.ClientStatus === "complete" || a.ClientStatus === "failed" || a.ClientStatus === "lost";

/** Nomad's "server terminal": nobody wants it to run. */
export const isDesiredTerminal = (a: Pick<Allocation, "DesiredStatus">): boolean =>
  a.DesiredStatus === "stop" || a.DesiredStatus === "evict";

/** @throws Error that names the group when the job has none of that name. */
export function groupOf({ Job, TaskGroup: name }: Pick<Allocation, "Job" | "TaskGroup">): TaskGroup {
  const group = Job.TaskGroups.find(({ Name }) => Name === name);
  if (!group) throw new Error(`TaskGroup: got ${JSON.stringify(name)}, which the job has not`);
  return group;
}
