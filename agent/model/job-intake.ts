import { readAffinities, readConstraints, readScaling, readSpreads } from "./constraint-intake.js";
import { FieldReader, noneTwice, readText } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { EphemeralDisk, Job, JobType, MigrateStrategy, ReschedulePolicy, Task, TaskGroup, UpdateStrategy } from "./job.js";
import { readNetworks } from "./network-intake.js";
import { readParameterized, readPeriodic } from "./parent-intake.js";
import {
  defaultReschedulePolicy,
  defaultRestartPolicy,
  readJobUpdate,
  readMigrate,
  readReschedulePolicy,
  readRestartPolicy,
  readUpdate,
} from "./policy-intake.js";
import { checkServices, serviceReader } from "./service-intake.js";
import { readTask } from "./task-intake.js";
import { SECOND } from "./units.js";
import { checkMounts, readVolumes } from "./volume-intake.js";

const types: readonly JobType[] = ["service", "batch", "system", "sysbatch"];
const maxCount = 100_000;

/** What every job has that says nothing about it. Source: the reference's samples. */
const emptyJob = {
  Affinities: null,
  AllAtOnce: false,
  Constraints: null,
  ConsulNamespace: "",
  DispatchIdempotencyToken: "",
  Dispatched: false,
  Multiregion: null,
  NomadTokenID: "",
  Payload: null,
  Spreads: null,
  UI: null,
  VaultNamespace: "",
  VersionTag: null,
};

const emptyGroup = {
  Affinities: null,
  Constraints: null,
  Consul: null,
  Disconnect: null,
  MaxClientDisconnect: null,
  PreventRescheduleOnLost: false,
  Scaling: null,
  Spreads: null,
  StopAfterClientDisconnect: null,
};

const shapes = {
  job: { lists: ["Affinities", "Constraints", "Spreads"], objects: ["Multiregion", "UI", "VersionTag"] },
  group: { lists: ["Affinities", "Constraints", "Spreads"], objects: ["Consul", "Disconnect", "Scaling"] },
};

/** What the groups of a job have of it. */
interface JobScope {
  readonly namespace: string;
  readonly id: string;
  readonly type: JobType;
  readonly update: UpdateStrategy | undefined;
  readonly reschedule: ReschedulePolicy | null;
  readonly migrate: MigrateStrategy | undefined;
}

/**
 * A job as a caller gave it, checked and with Nomad's defaults. Members that are not known here stay as they are.
 *
 * @param path how errors name the job.
 * @throws InvalidField for the first thing that is wrong.
 */
export function jobFromApi(input: unknown, path = "Job"): Job {
  const from = new FieldReader(input, path);
  const ID = readId(from, "ID");
  const Type = from.oneOf("Type", types, "service");
  const Namespace = readNamespace(from);
  from.shapes(shapes.job);
  const update = from.object("Update", readJobUpdate) ?? undefined;
  const scope: JobScope = {
    namespace: Namespace,
    id: ID,
    type: Type,
    update,
    reschedule: from.object("Reschedule", (value, at) => readReschedulePolicy(value, at, Type, null)),
    migrate: from.object("Migrate", (value, at) => readMigrate(value, at)) ?? undefined,
  };
  const TaskGroups = from.list("TaskGroups", (group, at) => readGroup(group, at, scope)) ?? [];
  if (TaskGroups.length === 0) throw new InvalidField(from.at("TaskGroups"), from.raw("TaskGroups"), "at least one group");
  noneTwice(TaskGroups, "Name", from.at("TaskGroups"));
  return {
    ...from.passed(emptyJob, known),
    ID,
    Name: from.text("Name") || ID,
    Namespace,
    Region: from.text("Region") || "global",
    Type,
    Priority: from.whole("Priority", 50, { min: 1, max: 100 }),
    Datacenters: readDatacenters(from),
    NodePool: from.text("NodePool") || "default",
    Meta: from.texts("Meta"),
    Constraints: readConstraints(from),
    Affinities: readAffinities(from),
    Spreads: readSpreads(from),
    TaskGroups,
    Update: jobUpdate(update, Type),
    Periodic: readPeriodic(from, Type),
    ParameterizedJob: readParameterized(from, Type),
    ParentID: from.text("ParentID"),
    // What follows is the registry's to say, whatever the caller wrote.
    Stop: false,
    Status: "pending",
    StatusDescription: "",
    Stable: false,
    Version: 0,
    SubmitTime: 0n,
    CreateIndex: 0,
    ModifyIndex: 0,
    JobModifyIndex: 0,
  };
}

function readGroup(value: unknown, path: string, { namespace, id, type, ...jobs }: JobScope): TaskGroup {
  const from = new FieldReader(value, path);
  from.shapes(shapes.group);
  const Name = readGroupName(from);
  const base = defaultRestartPolicy(type);
  const restart = from.object("RestartPolicy", (policy, at) => readRestartPolicy(policy, at, base)) ?? base;
  const owner = { namespace, job: id, group: Name };
  const Tasks = from.list("Tasks", (task, at) => readTask(task, at, { ...owner, restart })) ?? [];
  if (Tasks.length === 0) throw new InvalidField(from.at("Tasks"), from.raw("Tasks"), "at least one task");
  noneTwice(Tasks, "Name", from.at("Tasks"));
  if (Tasks.filter(({ Leader }) => Leader).length > 1)
    throw new InvalidField(from.at("Tasks"), "more than one Leader", "one leader at most");
  if (Tasks.every(({ Lifecycle }) => Lifecycle !== null))
    throw new InvalidField(from.at("Tasks"), "only tasks with a Lifecycle", "at least one main task");
  const EphemeralDisk = readDisk(from.raw("EphemeralDisk") ?? {}, from.at("EphemeralDisk"));
  checkLogsFit(Tasks, EphemeralDisk, from);
  const Networks = readNetworks(from);
  const Volumes = readVolumes(from);
  checkMounts(Tasks, Volumes, from.at("Tasks"));
  const Services = from.list("Services", serviceReader({ ...owner, task: "" }));
  checkAllServices(Services, Tasks, Networks, from);
  const isService = type === "service" || type === "system";
  const Count = from.whole("Count", 1, { max: maxCount });
  return {
    ...from.passed(emptyGroup, knownOfGroup),
    Name,
    Count,
    Constraints: readConstraints(from),
    Affinities: readAffinities(from),
    Spreads: readSpreads(from),
    Scaling: readScaling(from, Count),
    Tasks,
    Meta: from.texts("Meta"),
    RestartPolicy: restart,
    ReschedulePolicy:
      from.object("ReschedulePolicy", (policy, at) => readReschedulePolicy(policy, at, type, jobs.reschedule)) ??
      jobs.reschedule ??
      defaultReschedulePolicy(type),
    EphemeralDisk,
    Networks,
    Services,
    Volumes,
    Update: isService ? readUpdate(from.raw("Update"), from.at("Update"), jobs.update) : null,
    Migrate: type === "service" ? readMigrate(from.raw("Migrate"), from.at("Migrate"), jobs.migrate) : null,
    ShutdownDelay: from.raw("ShutdownDelay") === undefined ? null : from.duration("ShutdownDelay", 0),
    MaxRunDuration: from.raw("MaxRunDuration") === undefined ? null : from.duration("MaxRunDuration", 0),
  };
}

function checkAllServices(
  services: TaskGroup["Services"],
  tasks: readonly Task[],
  networks: TaskGroup["Networks"],
  from: FieldReader,
): void {
  const names = tasks.map(({ Name }) => Name);
  checkServices(services, from.at("Services"), [networks], names);
  for (const [i, task] of tasks.entries())
    checkServices(task.Services, `${from.at("Tasks")}[${i}].Services`, [networks, task.Resources.Networks], names);
}

/** The name is part of the allocation's, `job.group[0]`. */
function readGroupName(from: FieldReader): string {
  const name = from.needed("Name");
  if (/\s/.test(name)) throw from.invalid("Name", "a name without white space");
  if (name in Object.prototype) throw from.invalid("Name", "a name that no object has by itself");
  return name;
}

function readId(from: FieldReader, member: string): string {
  const id = from.needed(member);
  if (/\s/.test(id)) throw from.invalid(member, "an id without white space");
  return id;
}

function readNamespace(from: FieldReader): string {
  const namespace = from.text("Namespace") || "default";
  if (!/^[A-Za-z0-9-]{1,128}$/.test(namespace)) throw from.invalid("Namespace", "at most 128 letters, digits and hyphens");
  return namespace;
}

function readDatacenters(from: FieldReader): readonly string[] {
  const given = from.list("Datacenters", readText);
  return given === null || given.length === 0 ? ["*"] : given;
}

/** The job's own block is kept short, as the reference keeps it: what counts is each group's. */
function jobUpdate(given: UpdateStrategy | undefined, type: JobType): unknown {
  const inSteps = type === "service" || type === "system";
  const MaxParallel = given?.MaxParallel ?? (inSteps ? 1 : 0);
  return {
    AutoPromote: false,
    AutoRevert: false,
    Canary: 0,
    HealthCheck: "",
    HealthyDeadline: 0,
    MaxParallel,
    MinHealthyTime: 0,
    ProgressDeadline: 0,
    Stagger: MaxParallel === 0 ? 0 : (given?.Stagger ?? 30 * SECOND),
  };
}

function readDisk(value: unknown, path: string): EphemeralDisk {
  const from = new FieldReader(value, path);
  return {
    ...from.others(["Sticky", "SizeMB", "Migrate"]),
    Sticky: from.flag("Sticky"),
    SizeMB: from.whole("SizeMB", 300, { min: 1 }),
    Migrate: from.flag("Migrate"),
  };
}

/** Source: reference behaviour §5.6. */
function checkLogsFit(tasks: readonly Task[], disk: EphemeralDisk, from: FieldReader): void {
  for (const [i, { LogConfig }] of tasks.entries()) {
    const size = LogConfig.MaxFiles * LogConfig.MaxFileSizeMB;
    if (!LogConfig.Disabled && size >= disk.SizeMB)
      throw new InvalidField(
        `${from.at("Tasks")}[${i}].LogConfig`,
        `MaxFiles ${LogConfig.MaxFiles} of ${LogConfig.MaxFileSizeMB} MB`,
        `less than EphemeralDisk.SizeMB, ${disk.SizeMB}`,
      );
  }
}

const known = [
  "ID",
  "Name",
  "Namespace",
  "Region",
  "Type",
  "Priority",
  "Datacenters",
  "NodePool",
  "Meta",
  "TaskGroups",
  "Update",
  "Periodic",
  "ParameterizedJob",
  "Reschedule",
  "Migrate",
  "ParentID",
  "Stop",
  "Status",
  "StatusDescription",
  "Stable",
  "Version",
  "SubmitTime",
  "CreateIndex",
  "ModifyIndex",
  "JobModifyIndex",
];

const knownOfGroup = [
  "Name",
  "Count",
  "Tasks",
  "Meta",
  "RestartPolicy",
  "ReschedulePolicy",
  "EphemeralDisk",
  "Networks",
  "Services",
  "Volumes",
  "Update",
  "Migrate",
  "ShutdownDelay",
  "MaxRunDuration",
];
