import { randomUUID } from "node:crypto";
import type { DesiredAllocation } from "../../agent/model/allocation.js";
import type { Deployment } from "../../agent/model/deployment.js";
import type { Evaluation } from "../../agent/model/evaluation.js";
import type { Job } from "../../agent/model/job.js";
import { jobFromApi } from "../../agent/model/job-intake.js";
import type { Node } from "../../agent/model/node.js";

export const NODE_ID = "e2a69662-816c-27dd-80d3-2c6d5aaab591";
export const UNKNOWN_ID = "00000000-1111-2222-3333-444444444444";

/** What a caller sends to register a job of one task. */
export const jobInput = (id: string, extra: Readonly<Record<string, unknown>> = {}): object => ({
  ID: id,
  Name: id,
  Type: "service",
  Datacenters: ["*"],
  TaskGroups: [{ Name: "g", Tasks: [{ Name: "t", Driver: "raw_exec", Config: { command: "/bin/true" } }] }],
  ...extra,
});

export const aJob = (id: string, extra: Readonly<Record<string, unknown>> = {}): Job => jobFromApi(jobInput(id, extra), "Job");

export const anAllocation = (job: Job, extra: Partial<DesiredAllocation> = {}): DesiredAllocation => ({
  ID: randomUUID(),
  Namespace: job.Namespace,
  EvalID: randomUUID(),
  Name: `${job.ID}.g[0]`,
  NodeID: NODE_ID,
  NodeName: "worker",
  JobID: job.ID,
  Job: job,
  TaskGroup: "g",
  AllocatedResources: {
    Tasks: {
      t: { Cpu: { CpuShares: 100, ReservedCores: null }, Memory: { MemoryMB: 300, MemoryMaxMB: 0 }, Networks: null, Devices: null },
    },
    TaskLifecycles: { t: null },
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
  ...extra,
});

export const anEvaluation = (job: Job, extra: Partial<Evaluation> = {}): Evaluation => ({
  ID: randomUUID(),
  Namespace: job.Namespace,
  Priority: 50,
  Type: job.Type,
  TriggeredBy: "job-register",
  JobID: job.ID,
  JobModifyIndex: 1,
  NodeID: "",
  DeploymentID: "",
  Status: "complete",
  StatusDescription: "",
  WaitUntil: null,
  NextEval: "",
  PreviousEval: "",
  BlockedEval: "",
  FailedTGAllocs: null,
  QueuedAllocations: { g: 2 },
  PlanAnnotations: null,
  SnapshotIndex: 1,
  CreateIndex: 0,
  ModifyIndex: 0,
  CreateTime: 0n,
  ModifyTime: 0n,
  ...extra,
});

export const aDeployment = (job: Job): Deployment => ({
  ID: randomUUID(),
  Namespace: job.Namespace,
  JobID: job.ID,
  JobVersion: 0,
  JobModifyIndex: 1,
  JobSpecModifyIndex: 1,
  JobCreateIndex: 1,
  IsMultiregion: false,
  TaskGroups: {},
  Status: "running",
  StatusDescription: "",
  EvalPriority: 50,
  CreateIndex: 0,
  ModifyIndex: 0,
  CreateTime: 0n,
  ModifyTime: 0n,
});

export const aNode: Node = {
  ID: NODE_ID,
  Name: "worker",
  Datacenter: "dc1",
  NodePool: "default",
  NodeClass: "",
  HTTPAddr: "127.0.0.1:4646",
  Attributes: {},
  Meta: {},
  Drivers: {},
  Resources: { CpuShares: 4000, Cores: 2, MemoryMB: 8000, DiskMB: 10_000 },
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
  CreateIndex: 0,
  ModifyIndex: 0,
};
