import type {
  AllocatedPort,
  AllocatedResources,
  AllocMetric,
  ClientStatus,
  DesiredAllocation,
  DesiredTransition,
  RescheduleTracker,
} from "./allocation.js";
import { FieldReader, readText } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { Job, NetworkResource, TaskGroup } from "./job.js";
import { jobFromApi } from "./job-intake.js";
import { readResources } from "./task-intake.js";
import { isUuid } from "./uuid.js";

/** A whole allocation as a control plane hands it in, checked and with its defaults. */
export interface AllocationIntake extends Omit<DesiredAllocation, "Ingested" | "SourceIndex"> {
  readonly AllocModifyIndex: number | bigint;
  /** What the control plane believes; only whether it is over is of interest. */
  readonly ClientStatus: ClientStatus;
}

const clientStatuses: readonly ClientStatus[] = ["pending", "running", "complete", "failed", "lost", "unknown"];

/**
 * Members that the runners report are ignored.
 *
 * @throws InvalidField for the first thing that is wrong.
 */
export function allocationFromApi(input: unknown): AllocationIntake {
  const from = new FieldReader(input, "Allocation");
  const ID = from.needed("ID").toLowerCase();
  if (!isUuid(ID)) throw from.invalid("ID", "a UUID");
  const job = readJob(from);
  const JobID = from.text("JobID") || job.ID;
  if (JobID !== job.ID) throw from.invalid("JobID", `the ID of its Job, ${JSON.stringify(job.ID)}`);
  const TaskGroup = from.needed("TaskGroup");
  const group = job.TaskGroups.find(({ Name }) => Name === TaskGroup);
  if (!group) throw from.invalid("TaskGroup", `a group of its Job: ${job.TaskGroups.map(({ Name }) => Name).join(", ")}`);
  return {
    ID,
    Namespace: from.text("Namespace") || job.Namespace,
    EvalID: from.text("EvalID"),
    Name: from.text("Name") || `${job.ID}.${TaskGroup}[0]`,
    NodeID: from.text("NodeID"),
    NodeName: from.text("NodeName"),
    JobID,
    Job: job,
    TaskGroup,
    AllocatedResources: from.object("AllocatedResources", (value, at) => readAllocated(value, at, group)) ?? derived(from, group),
    Metrics: from.object("Metrics", (value, at) => new FieldReader(value, at).others([]) as unknown as AllocMetric),
    DesiredStatus: from.oneOf("DesiredStatus", ["run", "stop", "evict"], "run"),
    DesiredDescription: from.text("DesiredDescription"),
    DesiredTransition: readTransition(from.raw("DesiredTransition") ?? {}, from.at("DesiredTransition")),
    PreviousAllocation: from.text("PreviousAllocation"),
    NextAllocation: from.text("NextAllocation"),
    DeploymentID: from.text("DeploymentID"),
    RescheduleTracker: from.object(
      "RescheduleTracker",
      (value, at) => new FieldReader(value, at).others([]) as unknown as RescheduleTracker,
    ),
    FollowupEvalID: from.text("FollowupEvalID"),
    PreemptedAllocations: from.list("PreemptedAllocations", readText),
    PreemptedByAllocation: from.text("PreemptedByAllocation"),
    AllocModifyIndex: from.duration("AllocModifyIndex", 0),
    ClientStatus: from.oneOf("ClientStatus", clientStatuses, "pending"),
  };
}

/** The job keeps the version and the times that its own registry gave it. */
function readJob(from: FieldReader): Job {
  const path = from.at("Job");
  const given = from.raw("Job");
  if (given === undefined) throw from.invalid("Job", "the job that it is a part of");
  const job = jobFromApi(given, path);
  const own = new FieldReader(given, path);
  return {
    ...job,
    Version: own.whole("Version", 0),
    SubmitTime: BigInt(own.duration("SubmitTime", 0)),
    CreateIndex: own.whole("CreateIndex", 0),
    ModifyIndex: own.whole("ModifyIndex", 0),
    JobModifyIndex: own.whole("JobModifyIndex", 0),
    Stable: own.flag("Stable"),
  };
}

function readTransition(value: unknown, path: string): DesiredTransition {
  const from = new FieldReader(value, path);
  const flag = (name: string): boolean | null => (from.raw(name) === undefined ? null : from.flag(name));
  return {
    Migrate: flag("Migrate"),
    Reschedule: flag("Reschedule"),
    ForceReschedule: flag("ForceReschedule"),
    NoShutdownDelay: flag("NoShutdownDelay"),
    MigrateDisablePlacement: flag("MigrateDisablePlacement"),
  };
}

function readAllocated(value: unknown, path: string, group: TaskGroup): AllocatedResources {
  const from = new FieldReader(value, path);
  const tasks = new FieldReader(from.raw("Tasks") ?? {}, from.at("Tasks"));
  const shared = new FieldReader(from.raw("Shared") ?? {}, from.at("Shared"));
  return {
    Tasks: Object.fromEntries(
      group.Tasks.map((task) => {
        const own = new FieldReader(tasks.raw(task.Name) ?? {}, tasks.at(task.Name));
        const cpu = new FieldReader(own.raw("Cpu") ?? {}, own.at("Cpu"));
        const memory = new FieldReader(own.raw("Memory") ?? {}, own.at("Memory"));
        return [
          task.Name,
          {
            Cpu: { CpuShares: cpu.whole("CpuShares", task.Resources.CPU), ReservedCores: cpu.list("ReservedCores", readCore) },
            Memory: {
              MemoryMB: memory.whole("MemoryMB", task.Resources.MemoryMB),
              MemoryMaxMB: memory.whole("MemoryMaxMB", task.Resources.MemoryMaxMB, { min: -1 }),
            },
            Networks: own.list("Networks", readNetworkResource),
            Devices: null,
          },
        ];
      }),
    ),
    TaskLifecycles: lifecycles(group),
    Shared: {
      DiskMB: shared.whole("DiskMB", group.EphemeralDisk.SizeMB),
      Networks: shared.list("Networks", readNetworkResource),
      Ports: shared.list("Ports", readPort),
    },
  };
}

/** From `TaskResources` and `SharedResources`, which a control plane of before Nomad 0.9 sends, else from the job. */
function derived(from: FieldReader, group: TaskGroup): AllocatedResources {
  const given = new FieldReader(from.raw("TaskResources") ?? {}, from.at("TaskResources"));
  const shared = from.object("SharedResources", readResources);
  return {
    Tasks: Object.fromEntries(
      group.Tasks.map((task) => {
        const { CPU, MemoryMB, MemoryMaxMB, Networks } = given.object(task.Name, readResources) ?? task.Resources;
        return [task.Name, { Cpu: { CpuShares: CPU, ReservedCores: null }, Memory: { MemoryMB, MemoryMaxMB }, Networks, Devices: null }];
      }),
    ),
    TaskLifecycles: lifecycles(group),
    Shared: { DiskMB: shared?.DiskMB || group.EphemeralDisk.SizeMB, Networks: shared?.Networks ?? null, Ports: null },
  };
}

const lifecycles = (group: TaskGroup): AllocatedResources["TaskLifecycles"] =>
  Object.fromEntries(group.Tasks.map(({ Name, Lifecycle }) => [Name, Lifecycle && { Hook: Lifecycle.Hook, Sidecar: Lifecycle.Sidecar }]));

const maxPort = 65_535;

function readPort(value: unknown, path: string): AllocatedPort {
  const from = new FieldReader(value, path);
  return {
    Label: from.needed("Label"),
    Value: from.whole("Value", 0, { max: maxPort }),
    To: from.whole("To", 0, { min: -1, max: maxPort }),
    HostIP: from.text("HostIP"),
  };
}

function readCore(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidField(path, value, "a whole number of 0 or more");
  return value;
}

const readNetworkResource = (value: unknown, path: string): NetworkResource => {
  const from = new FieldReader(value, path);
  const port = (element: unknown, at: string) => ({
    ...new FieldReader(element, at).others(["HostIP"]),
    ...readPort(element, at),
    HostNetwork: "default",
  });
  return {
    ...from.others(["Mode", "Device", "CIDR", "IP", "MBits", "ReservedPorts", "DynamicPorts"]),
    Mode: from.text("Mode"),
    Device: from.text("Device"),
    CIDR: from.text("CIDR"),
    IP: from.text("IP"),
    MBits: from.whole("MBits", 0),
    ReservedPorts: from.list("ReservedPorts", port),
    DynamicPorts: from.list("DynamicPorts", port),
  };
};
