import type { Duration, UnixNano } from "./units.js";

/** This host, as the schedulers and the reads see it. */
export interface Node {
  readonly ID: string;
  readonly Name: string;
  readonly Datacenter: string;
  readonly NodePool: string;
  readonly NodeClass: string;
  readonly HTTPAddr: string;
  readonly Attributes: Readonly<Record<string, string>>;
  readonly Meta: Readonly<Record<string, string>>;
  /** By name. Absent on a node that an earlier agent has stored. */
  readonly HostVolumes?: Readonly<Record<string, HostVolume>>;
  readonly Drivers: Readonly<Record<string, DriverInfo>>;
  readonly Resources: NodeCapacity;
  readonly Reserved: NodeCapacity;
  /** The host address that ports are allocated on. */
  readonly NetworkIP: string;
  readonly NetworkDevice: string;
  readonly MinDynamicPort: number;
  readonly MaxDynamicPort: number;
  readonly Status: "ready" | "down";
  readonly SchedulingEligibility: "eligible" | "ineligible";
  /** Set as long as allocations are being moved off. */
  readonly DrainStrategy: DrainStrategy | null;
  readonly LastDrain: LastDrain | null;
  readonly CgroupParent: string;
  readonly StatusUpdatedAt: UnixNano;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface DrainStrategy {
  /** Nanoseconds; 0 is none, below 0 everything is stopped at once. */
  readonly Deadline: Duration;
  readonly IgnoreSystemJobs: boolean;
  /** When what is left is stopped at once. */
  readonly ForceDeadline: UnixNano | null;
  readonly StartedAt: UnixNano;
}

export interface LastDrain {
  readonly StartedAt: UnixNano;
  readonly UpdatedAt: UnixNano;
  readonly Status: "draining" | "complete" | "canceled";
  readonly AccessorID: string;
  readonly Meta: Readonly<Record<string, string>> | null;
}

/** A directory of the host that jobs may mount. */
export interface HostVolume {
  readonly Name: string;
  /** Absolute. */
  readonly Path: string;
  readonly ReadOnly: boolean;
}

export interface NodeCapacity {
  /** MHz over all cores. */
  readonly CpuShares: number;
  readonly Cores: number;
  /** MiB. */
  readonly MemoryMB: number;
  /** MiB. */
  readonly DiskMB: number;
}

export interface DriverInfo {
  readonly Attributes: Readonly<Record<string, string>>;
  readonly Detected: boolean;
  readonly Healthy: boolean;
  readonly HealthDescription: string;
  readonly UpdateTime: UnixNano;
}
