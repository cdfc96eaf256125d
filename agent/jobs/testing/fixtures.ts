import type { Allocation } from "../../model/allocation.js";
import type { Job, NetworkResource, ReschedulePolicy, Task, TaskGroup, UpdateStrategy } from "../../model/job.js";
import type { Node } from "../../model/node.js";
import { HOUR, MINUTE, SECOND } from "../../model/units.js";

export const NODE_ID = "11111111-2222-3333-4444-555555555555";

export const aNode = (change: Partial<Node> = {}): Node => ({
  ID: NODE_ID,
  Name: "host",
  Datacenter: "dc1",
  NodePool: "default",
  NodeClass: "",
  HTTPAddr: "127.0.0.1:4646",
  Attributes: {},
  Meta: {},
  Drivers: { raw_exec: { Attributes: {}, Detected: true, Healthy: true, HealthDescription: "Healthy", UpdateTime: 0n } },
  Resources: { CpuShares: 4_000, Cores: 4, MemoryMB: 8_000, DiskMB: 100_000 },
  Reserved: { CpuShares: 0, Cores: 0, MemoryMB: 0, DiskMB: 0 },
  NetworkIP: "127.0.0.1",
  NetworkDevice: "lo",
  MinDynamicPort: 20_000,
  MaxDynamicPort: 32_000,
  Status: "ready",
  SchedulingEligibility: "eligible",
  DrainStrategy: null,
  LastDrain: null,
  CgroupParent: "allocd.slice",
  StatusUpdatedAt: 0n,
  CreateIndex: 1,
  ModifyIndex: 1,
  ...change,
});

export const aTask = (change: Partial<Task> = {}): Task => ({
  Name: "t",
  Driver: "raw_exec",
  User: "",
  Config: { command: "/bin/true" },
  Env: null,
  Meta: null,
  Services: null,
  Resources: { CPU: 100, Cores: 0, MemoryMB: 100, MemoryMaxMB: 0, DiskMB: 0, Networks: null },
  RestartPolicy: { Attempts: 0, Interval: MINUTE, Delay: SECOND, Mode: "fail", RenderTemplates: false },
  LogConfig: { MaxFiles: 2, MaxFileSizeMB: 1, Disabled: false },
  Lifecycle: null,
  Leader: false,
  KillTimeout: 5 * SECOND,
  KillSignal: "",
  ShutdownDelay: 0,
  ...change,
});

export const NO_RESCHEDULE: ReschedulePolicy = {
  Attempts: 0,
  Interval: 0,
  Delay: 30 * SECOND,
  DelayFunction: "constant",
  MaxDelay: 0,
  Unlimited: false,
};

export const aPolicy = (change: Partial<ReschedulePolicy> = {}): ReschedulePolicy => ({
  Attempts: 1,
  Interval: HOUR,
  Delay: 5 * SECOND,
  DelayFunction: "constant",
  MaxDelay: 0,
  Unlimited: false,
  ...change,
});

export const anUpdate = (change: Partial<UpdateStrategy> = {}): UpdateStrategy => ({
  Stagger: 30 * SECOND,
  MaxParallel: 1,
  HealthCheck: "task_states",
  MinHealthyTime: SECOND,
  HealthyDeadline: 5 * MINUTE,
  ProgressDeadline: 10 * MINUTE,
  AutoRevert: false,
  AutoPromote: false,
  Canary: 0,
  ...change,
});

export const aGroup = (change: Partial<TaskGroup> = {}): TaskGroup => ({
  Name: "g",
  Count: 1,
  Tasks: [aTask()],
  Meta: null,
  RestartPolicy: { Attempts: 0, Interval: MINUTE, Delay: SECOND, Mode: "fail", RenderTemplates: false },
  ReschedulePolicy: NO_RESCHEDULE,
  EphemeralDisk: { Sticky: false, SizeMB: 10, Migrate: false },
  Networks: null,
  Services: null,
  Update: anUpdate(),
  Migrate: null,
  ShutdownDelay: null,
  MaxRunDuration: null,
  ...change,
});

export const aJob = (change: Partial<Job> = {}, group: Partial<TaskGroup> = {}): Job => ({
  ID: "job",
  Name: "job",
  Namespace: "default",
  Region: "global",
  Type: "service",
  Priority: 50,
  Datacenters: ["*"],
  NodePool: "default",
  Meta: null,
  TaskGroups: [aGroup(group)],
  ParentID: "",
  Stop: false,
  Status: "pending",
  StatusDescription: "",
  Stable: false,
  Version: 0,
  SubmitTime: 0n,
  CreateIndex: 0,
  ModifyIndex: 0,
  JobModifyIndex: 0,
  ...change,
});

/** A batch job of one group. */
export const aBatch = (change: Partial<Job> = {}, group: Partial<TaskGroup> = {}): Job =>
  aJob({ Type: "batch", ...change }, { Update: null, ...group });

export const aNetwork = (change: Partial<NetworkResource> = {}): NetworkResource => ({
  Mode: "host",
  Device: "",
  CIDR: "",
  IP: "",
  MBits: 0,
  ReservedPorts: null,
  DynamicPorts: null,
  ...change,
});

export const aPort = (Label: string, Value = 0, To = 0) => ({ Label, Value, To, HostNetwork: "default" });

let serial = 0;
export const anId = (): string => `${(++serial).toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;

export function anAlloc(job: Job, change: Partial<Allocation> = {}): Allocation {
  const group = job.TaskGroups[0];
  return {
    ID: anId(),
    Namespace: job.Namespace,
    EvalID: anId(),
    Name: `${job.ID}.${group?.Name}[0]`,
    NodeID: NODE_ID,
    NodeName: "host",
    JobID: job.ID,
    Job: job,
    TaskGroup: group?.Name ?? "",
    AllocatedResources: {
      Tasks: {
        t: { Cpu: { CpuShares: 100, ReservedCores: null }, Memory: { MemoryMB: 100, MemoryMaxMB: 0 }, Networks: null, Devices: null },
      },
      TaskLifecycles: { t: null },
      Shared: { DiskMB: 10, Networks: null, Ports: null },
    },
    Metrics: null,
    DesiredStatus: "run",
    DesiredDescription: "",
    DesiredTransition: { Migrate: null, Reschedule: null, ForceReschedule: null, NoShutdownDelay: null, MigrateDisablePlacement: null },
    PreviousAllocation: "",
    NextAllocation: "",
    DeploymentID: "",
    RescheduleTracker: null,
    FollowupEvalID: "",
    PreemptedAllocations: null,
    PreemptedByAllocation: "",
    Ingested: false,
    SourceIndex: 0,
    ClientStatus: "running",
    ClientDescription: "",
    TaskStates: null,
    DeploymentStatus: null,
    NetworkStatus: null,
    CreateIndex: 1,
    ModifyIndex: 1,
    AllocModifyIndex: 1,
    CreateTime: 0n,
    ModifyTime: 0n,
    ...change,
  };
}
