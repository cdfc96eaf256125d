import { randomUUID } from "node:crypto";
import type { AllocatedTaskResources, DesiredAllocation } from "../../model/allocation.js";
import type { Job, JobType, RestartPolicy, Service, ServiceCheck, Task, TaskGroup } from "../../model/job.js";
import type { Node } from "../../model/node.js";
import { MINUTE, SECOND } from "../../model/units.js";

export const noRestarts: RestartPolicy = { Attempts: 0, Interval: 10 * MINUTE, Delay: SECOND, Mode: "fail", RenderTemplates: false };
export const restarts = (Attempts: number, more: Partial<RestartPolicy> = {}): RestartPolicy => ({ ...noRestarts, Attempts, ...more });

export function aTask(name: string, more: Partial<Task> = {}): Task {
  return {
    Name: name,
    Driver: "fake",
    User: "",
    Config: {},
    Env: null,
    Meta: null,
    Services: null,
    Resources: { CPU: 20, Cores: 0, MemoryMB: 20, MemoryMaxMB: 0, DiskMB: 0, Networks: null },
    RestartPolicy: noRestarts,
    LogConfig: { MaxFiles: 2, MaxFileSizeMB: 1, Disabled: false },
    Lifecycle: null,
    Leader: false,
    KillTimeout: 5 * SECOND,
    KillSignal: "",
    ShutdownDelay: 0,
    ...more,
  };
}

export const prestart = { Lifecycle: { Hook: "prestart", Sidecar: false } } as const;
export const sidecar = { Lifecycle: { Hook: "prestart", Sidecar: true } } as const;
export const poststart = { Lifecycle: { Hook: "poststart", Sidecar: false } } as const;
export const poststop = { Lifecycle: { Hook: "poststop", Sidecar: false } } as const;

export function aGroup(tasks: readonly Task[], more: Partial<TaskGroup> = {}): TaskGroup {
  return {
    Name: "g",
    Count: 1,
    Tasks: tasks,
    Meta: null,
    RestartPolicy: noRestarts,
    ReschedulePolicy: null,
    EphemeralDisk: { Sticky: false, SizeMB: 300, Migrate: false },
    Networks: null,
    Services: null,
    Update: null,
    Migrate: null,
    ShutdownDelay: null,
    MaxRunDuration: null,
    ...more,
  };
}

export function aJob(group: TaskGroup, type: JobType = "batch", more: Partial<Job> = {}): Job {
  return {
    ID: "j",
    Name: "j",
    Namespace: "default",
    Region: "global",
    Type: type,
    Priority: 50,
    Datacenters: ["*"],
    NodePool: "default",
    Meta: null,
    TaskGroups: [group],
    ParentID: "",
    Stop: false,
    Status: "pending",
    StatusDescription: "",
    Stable: false,
    Version: 0,
    SubmitTime: 0n,
    CreateIndex: 1,
    ModifyIndex: 1,
    JobModifyIndex: 1,
    ...more,
  };
}

export function anAlloc(job: Job, more: Partial<DesiredAllocation> = {}): DesiredAllocation {
  const tasks = job.TaskGroups[0]?.Tasks ?? [];
  const given = (task: Task): AllocatedTaskResources => ({
    Cpu: { CpuShares: task.Resources.CPU, ReservedCores: null },
    Memory: { MemoryMB: task.Resources.MemoryMB, MemoryMaxMB: task.Resources.MemoryMaxMB },
    Networks: null,
    Devices: null,
  });
  return {
    ID: randomUUID(),
    Namespace: job.Namespace,
    EvalID: randomUUID(),
    Name: `${job.ID}.g[0]`,
    NodeID: aNode.ID,
    NodeName: aNode.Name,
    JobID: job.ID,
    Job: job,
    TaskGroup: "g",
    AllocatedResources: {
      Tasks: Object.fromEntries(tasks.map((task) => [task.Name, given(task)])),
      TaskLifecycles: Object.fromEntries(tasks.map((task) => [task.Name, task.Lifecycle])),
      Shared: { DiskMB: 300, Networks: null, Ports: null },
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
    ...more,
  };
}

const capacity = { CpuShares: 4000, Cores: 2, MemoryMB: 4096, DiskMB: 10_000 };

export const aNode: Node = {
  ID: "11111111-2222-3333-4444-555555555555",
  Name: "host-1",
  Datacenter: "dc1",
  NodePool: "default",
  NodeClass: "",
  HTTPAddr: "127.0.0.1:4646",
  Attributes: { "kernel.name": "linux" },
  Meta: { rack: "r7" },
  Drivers: {},
  Resources: capacity,
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
};

export const aService = (name: string, more: Partial<Service> = {}): Service => ({
  Name: name,
  Provider: "nomad",
  PortLabel: "",
  AddressMode: "auto",
  Address: "",
  Tags: null,
  CanaryTags: null,
  Meta: null,
  CanaryMeta: null,
  TaskName: "",
  OnUpdate: "require_healthy",
  Checks: null,
  ...more,
});

export const aCheck = (name: string, more: Partial<ServiceCheck> = {}): ServiceCheck => ({
  Name: name,
  Type: "tcp",
  Command: "",
  Args: null,
  Path: "",
  Protocol: "",
  PortLabel: "",
  AddressMode: "",
  Interval: 10 * SECOND,
  Timeout: 2 * SECOND,
  InitialStatus: "",
  TLSServerName: "",
  TLSSkipVerify: false,
  Method: "",
  Header: null,
  Body: "",
  TaskName: "",
  SuccessBeforePassing: 0,
  FailuresBeforeCritical: 0,
  FailuresBeforeWarning: 0,
  OnUpdate: "require_healthy",
  CheckRestart: null,
  ...more,
});
