import { allocatedResources } from "./allocated-resources-intake.js";
import type { AllocMetric, ClientStatus, DesiredAllocation, DesiredTransition, RescheduleEvent, RescheduleTracker } from "./allocation.js";
import { FieldReader, readText } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { Job } from "./job.js";
import { jobFromApi } from "./job-intake.js";
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
  const Namespace = from.text("Namespace") || job.Namespace;
  if (Namespace !== job.Namespace) throw from.invalid("Namespace", `the Namespace of its Job, ${JSON.stringify(job.Namespace)}`);
  const TaskGroup = from.needed("TaskGroup");
  const group = job.TaskGroups.find(({ Name }) => Name === TaskGroup);
  if (!group) throw from.invalid("TaskGroup", `a group of its Job: ${job.TaskGroups.map(({ Name }) => Name).join(", ")}`);
  return {
    ID,
    Namespace,
    EvalID: from.text("EvalID"),
    Name: from.text("Name") || `${job.ID}.${TaskGroup}[0]`,
    NodeID: from.text("NodeID"),
    NodeName: from.text("NodeName"),
    JobID,
    Job: job,
    TaskGroup,
    AllocatedResources: allocatedResources(from, group),
    Metrics: from.object("Metrics", readMetrics),
    DesiredStatus: from.oneOf("DesiredStatus", ["run", "stop", "evict"], "run"),
    DesiredDescription: from.text("DesiredDescription"),
    DesiredTransition: readTransition(from.raw("DesiredTransition") ?? {}, from.at("DesiredTransition")),
    PreviousAllocation: from.text("PreviousAllocation"),
    NextAllocation: from.text("NextAllocation"),
    DeploymentID: from.text("DeploymentID"),
    RescheduleTracker: from.object("RescheduleTracker", readTracker),
    FollowupEvalID: from.text("FollowupEvalID"),
    PreemptedAllocations: from.list("PreemptedAllocations", readText),
    PreemptedByAllocation: from.text("PreemptedByAllocation"),
    // Without it a later repeat, such as the one that stops the allocation, would be taken for the same again.
    AllocModifyIndex: from.stamp("AllocModifyIndex"),
    ClientStatus: from.oneOf("ClientStatus", clientStatuses, "pending"),
  };
}

/** The job keeps the version and the times that its own registry gave it. One without a namespace is in its allocation's. */
function readJob(from: FieldReader): Job {
  const path = from.at("Job");
  const given = from.raw("Job");
  if (given === undefined) throw from.invalid("Job", "the job that it is a part of");
  const own = new FieldReader(given, path);
  const job = jobFromApi({ ...own.others(["Namespace"]), Namespace: own.raw("Namespace") || from.raw("Namespace") }, path);
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

function readTracker(value: unknown, path: string): RescheduleTracker {
  const from = new FieldReader(value, path);
  return { Events: from.list("Events", readRescheduleEvent), LastReschedule: from.text("LastReschedule") };
}

function readRescheduleEvent(value: unknown, path: string): RescheduleEvent {
  const from = new FieldReader(value, path);
  return {
    RescheduleTime: BigInt(from.stamp("RescheduleTime")),
    PrevAllocID: from.text("PrevAllocID"),
    PrevNodeID: from.text("PrevNodeID"),
    Delay: readDelay(from),
  };
}

/** The documentation shows it as a string of digits, the reference sends a number. */
function readDelay(from: FieldReader): number | bigint {
  const value = from.raw("Delay");
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : from.duration("Delay", 0);
}

function readMetrics(value: unknown, path: string): AllocMetric {
  const from = new FieldReader(value, path);
  return {
    NodesEvaluated: from.whole("NodesEvaluated", 0),
    NodesFiltered: from.whole("NodesFiltered", 0),
    NodesInPool: from.whole("NodesInPool", 0),
    NodePool: from.text("NodePool"),
    NodesAvailable: readNumbers(from, "NodesAvailable") ?? {},
    ClassFiltered: readNumbers(from, "ClassFiltered"),
    ConstraintFiltered: readNumbers(from, "ConstraintFiltered"),
    NodesExhausted: from.whole("NodesExhausted", 0),
    ClassExhausted: readNumbers(from, "ClassExhausted"),
    DimensionExhausted: readNumbers(from, "DimensionExhausted"),
    QuotaExhausted: null,
    ResourcesExhausted: from.object("ResourcesExhausted", (given, at) => new FieldReader(given, at).others([]) as Record<string, object>),
    Scores: readNumbers(from, "Scores"),
    ScoreMetaData: from.list("ScoreMetaData", (element) => element),
    AllocationTime: from.whole("AllocationTime", 0),
    CoalescedFailures: from.whole("CoalescedFailures", 0),
  };
}

const readNumbers = (from: FieldReader, name: string): Readonly<Record<string, number>> | null =>
  from.object(name, (value, path) =>
    Object.fromEntries(
      Object.entries(new FieldReader(value, path).others([])).map(([key, number]) => {
        if (typeof number !== "number") throw new InvalidField(`${path}[${JSON.stringify(key)}]`, number, "a number");
        return [key, number];
      }),
    ),
  );
