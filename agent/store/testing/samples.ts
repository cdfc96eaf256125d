import type { DesiredAllocation } from "../../model/allocation.js";
import type { Deployment } from "../../model/deployment.js";
import type { Evaluation } from "../../model/evaluation.js";
import type { Job } from "../../model/job.js";
import type { Namespace } from "../../model/namespace.js";
import type { Node } from "../../model/node.js";
import type { NewRegistration } from "../../model/service-registration.js";
import { blankTaskEvent, type TaskEvent, type TaskState } from "../../model/task-state.js";
import type { Change, NewTaskEvent } from "../state-store.js";

/** Objects for tests, complete as the types ask and otherwise as small as they get. */

export const aJob = (members: Partial<Job> = {}): Job => ({
  ID: "web",
  Name: "web",
  Namespace: "default",
  Region: "global",
  Type: "service",
  Priority: 50,
  Datacenters: ["*"],
  NodePool: "default",
  Meta: null,
  TaskGroups: [],
  ParentID: "",
  Stop: false,
  Status: "pending",
  StatusDescription: "",
  Stable: false,
  Version: 0,
  SubmitTime: 1_795_447_296_727_104_856n,
  CreateIndex: 0,
  ModifyIndex: 0,
  JobModifyIndex: 0,
  ...members,
});

export const aNamespace = (members: Partial<Namespace> = {}): Namespace => ({
  Name: "web",
  Description: "",
  Meta: null,
  Quota: "",
  Capabilities: null,
  CreateIndex: 0,
  ModifyIndex: 0,
  ...members,
});

export const anAlloc = (ID: string, members: Partial<DesiredAllocation> = {}): DesiredAllocation => ({
  ID,
  Namespace: "default",
  EvalID: "eval",
  Name: "web.group[0]",
  NodeID: "node",
  NodeName: "host",
  JobID: "web",
  Job: aJob(),
  TaskGroup: "group",
  AllocatedResources: { Tasks: {}, TaskLifecycles: {}, Shared: { DiskMB: 300, Networks: null, Ports: null } },
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
  ...members,
});

export const anEval = (ID: string, members: Partial<Evaluation> = {}): Evaluation => ({
  ID,
  Namespace: "default",
  Priority: 50,
  Type: "service",
  TriggeredBy: "job-register",
  JobID: "web",
  JobModifyIndex: 0,
  NodeID: "",
  DeploymentID: "",
  Status: "pending",
  StatusDescription: "",
  WaitUntil: null,
  NextEval: "",
  PreviousEval: "",
  BlockedEval: "",
  FailedTGAllocs: null,
  QueuedAllocations: null,
  PlanAnnotations: null,
  SnapshotIndex: 0,
  CreateIndex: 0,
  ModifyIndex: 0,
  CreateTime: 0n,
  ModifyTime: 0n,
  ...members,
});

export const aDeployment = (ID: string, members: Partial<Deployment> = {}): Deployment => ({
  ID,
  Namespace: "default",
  JobID: "web",
  JobVersion: 0,
  JobModifyIndex: 0,
  JobSpecModifyIndex: 0,
  JobCreateIndex: 0,
  IsMultiregion: false,
  TaskGroups: {},
  Status: "running",
  StatusDescription: "",
  EvalPriority: 50,
  CreateIndex: 0,
  ModifyIndex: 0,
  CreateTime: 0n,
  ModifyTime: 0n,
  ...members,
});

const capacity = { CpuShares: 1_000, Cores: 1, MemoryMB: 1_024, DiskMB: 1_024 };

export const aNode = (members: Partial<Node> = {}): Node => ({
  ID: "node",
  Name: "host",
  Datacenter: "dc1",
  NodePool: "default",
  NodeClass: "",
  HTTPAddr: "127.0.0.1:4646",
  Attributes: {},
  Meta: {},
  Drivers: { raw_exec: { Attributes: {}, Detected: true, Healthy: true, HealthDescription: "", UpdateTime: 5n } },
  Resources: capacity,
  Reserved: capacity,
  NetworkIP: "127.0.0.1",
  NetworkDevice: "lo",
  MinDynamicPort: 20_000,
  MaxDynamicPort: 32_000,
  Status: "ready",
  SchedulingEligibility: "eligible",
  DrainStrategy: null,
  LastDrain: null,
  CgroupParent: "",
  StatusUpdatedAt: 7n,
  CreateIndex: 0,
  ModifyIndex: 0,
  ...members,
});

export const aTaskEvent = (Type: string, members: Partial<TaskEvent> = {}): TaskEvent => ({
  Type,
  Time: 1_795_447_297_000_000_001n,
  ...blankTaskEvent,
  ...members,
});

export const aTaskState = (members: Partial<TaskState> = {}): TaskState => ({
  State: "pending",
  Failed: false,
  Restarts: 0,
  LastRestart: null,
  StartedAt: null,
  FinishedAt: null,
  Events: [],
  ...members,
});

export const creation = (ID: string, members: Partial<DesiredAllocation> = {}): Change => ({
  kind: "alloc-create",
  alloc: anAlloc(ID, members),
});

/** A task's transition with its events, of which all are new. */
export const transition = (id: string, task: string, state: TaskState, run = 1): Change => ({
  kind: "alloc-observed",
  id,
  patch: { TaskStates: { [task]: state }, events: state.Events.map((event): NewTaskEvent => ({ task, run, event })) },
});

export const aRegistration = (ID: string, members: Partial<NewRegistration> = {}): NewRegistration => ({
  ID,
  ServiceName: "web",
  Namespace: "default",
  NodeID: "node",
  Datacenter: "dc1",
  JobID: "web",
  AllocID: "a",
  Tags: [],
  Meta: {},
  Address: "127.0.0.1",
  Port: 80,
  ...members,
});
