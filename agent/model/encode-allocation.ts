import type { AllocatedResources, Allocation, AllocDeploymentStatus } from "./allocation.js";
import { cached, encodeShared, encodeTaskStates, encodeTime, flat, encodeText as text } from "./encode-task-state.js";
import type { Job } from "./job.js";
import { encodeJson } from "./json.js";
import { noResources } from "./resources.js";

/*
 * An allocation as the documentation and the reference show it: the union of both. `Ingested` and `SourceIndex` are ours
 * and are not told. Source: the documentation's "List" and "Read Allocation", reference behaviour §1.9.
 */

export interface StubOptions {
  readonly resources: boolean;
  readonly taskStates: boolean;
}

/** One cache for each of the four combinations of what a list may want. */
const stubs: readonly WeakMap<Allocation, string>[] = [new WeakMap(), new WeakMap(), new WeakMap(), new WeakMap()];

/** One element of GET /v1/allocations. */
export function encodeAllocationStub(alloc: Allocation, options: StubOptions): string {
  const texts = stubs[(options.resources ? 1 : 0) + (options.taskStates ? 2 : 0)] as WeakMap<Allocation, string>;
  return cached(texts, alloc, () =>
    flat([
      "{",
      stubMembers(alloc, options.taskStates),
      options.resources ? `,"AllocatedResources":${encodeShared(alloc.AllocatedResources)}` : "",
      "}",
    ]),
  );
}

/** GET /v1/allocation/:id. Not kept as a whole: its parts are, and joining them costs little. */
export const encodeAllocation = (alloc: Allocation): string => wholeWith(alloc, encodeShared(alloc.Job));

/** As the event stream tells it: the job would be most of it. */
export const encodeAllocationWithoutJob = (alloc: JobLess): string => wholeWith(alloc, "null");

/** An allocation that does not hold on to its job, but for what the list tells of it. */
export type JobLess = Omit<Allocation, "Job"> & { readonly Job: Pick<Job, "Type" | "Version"> };

function wholeWith(alloc: JobLess, job: string): string {
  return (
    `{${stubMembers(alloc, true)},"AllocModifyIndex":${alloc.AllocModifyIndex}` +
    `,"AllocatedResources":${encodeShared(alloc.AllocatedResources)}` +
    `,"DeploymentID":${text(alloc.DeploymentID)}` +
    `,"Job":${job}` +
    `,"Metrics":${encodeShared(alloc.Metrics)}` +
    `,"NetworkStatus":${encodeShared(alloc.NetworkStatus)}` +
    `,"PreviousAllocation":${text(alloc.PreviousAllocation)},"SigningKeyID":""` +
    `,${deprecatedResources(alloc.AllocatedResources)}}`
  );
}

function stubMembers(alloc: JobLess, withTaskStates: boolean): string {
  return (
    `"ID":"${alloc.ID}",` +
    `"ClientDescription":${text(alloc.ClientDescription)},"ClientStatus":"${alloc.ClientStatus}"` +
    `,"CreateIndex":${alloc.CreateIndex},"CreateTime":${alloc.CreateTime}` +
    `,"DeploymentStatus":${encodeDeploymentStatus(alloc.DeploymentStatus)}` +
    `,"DesiredDescription":${text(alloc.DesiredDescription)},"DesiredStatus":"${alloc.DesiredStatus}"` +
    `,"DesiredTransition":${encodeShared(alloc.DesiredTransition)}` +
    `,"EvalID":${text(alloc.EvalID)},"FollowupEvalID":${text(alloc.FollowupEvalID)}` +
    `,"JobID":${text(alloc.JobID)},"JobType":"${alloc.Job.Type}","JobVersion":${alloc.Job.Version}` +
    `,"ModifyIndex":${alloc.ModifyIndex},"ModifyTime":${alloc.ModifyTime},"Name":${text(alloc.Name)},"Namespace":${text(alloc.Namespace)}` +
    `,"NextAllocation":${text(alloc.NextAllocation)},"NodeID":${text(alloc.NodeID)},"NodeName":${text(alloc.NodeName)}` +
    `,"PreemptedAllocations":${encodeShared(alloc.PreemptedAllocations)},"PreemptedByAllocation":${text(alloc.PreemptedByAllocation)}` +
    `,"RescheduleTracker":${encodeShared(alloc.RescheduleTracker)},"TaskGroup":${text(alloc.TaskGroup)}` +
    `,"TaskStates":${withTaskStates ? encodeTaskStates(alloc.TaskStates) : "null"}`
  );
}

const encodeDeploymentStatus = (status: AllocDeploymentStatus | null): string =>
  status === null
    ? "null"
    : `{"Canary":${status.Canary},"Healthy":${status.Healthy},"ModifyIndex":${status.ModifyIndex},"Timestamp":${encodeTime(status.Timestamp)}}`;

const deprecated = new WeakMap<AllocatedResources, string>();

/** `Resources`, `SharedResources` and `TaskResources`, which clients of before Nomad 0.9 read. */
function deprecatedResources(allocated: AllocatedResources): string {
  return cached(deprecated, allocated, () => {
    const { DiskMB, Networks } = allocated.Shared;
    const tasks = Object.entries(allocated.Tasks).map(([name, { Cpu, Memory, Networks: own }]) => {
      return [name, { ...noResources, CPU: Cpu.CpuShares, Cores: Cpu.ReservedCores?.length ?? 0, ...Memory, Networks: own }] as const;
    });
    const total = (of: (task: (typeof tasks)[number][1]) => number): number => tasks.reduce((sum, [, task]) => sum + of(task), 0);
    const all = {
      ...noResources,
      CPU: total((task) => task.CPU),
      Cores: total((task) => task.Cores),
      MemoryMB: total((task) => task.MemoryMB),
      MemoryMaxMB: total((task) => task.MemoryMaxMB || task.MemoryMB),
      DiskMB,
      Networks: tasks.find(([, task]) => task.Networks !== null)?.[1].Networks ?? Networks,
    };
    const shared = { ...noResources, DiskMB, Networks };
    return `"Resources":${encodeJson(all)},"SharedResources":${encodeJson(shared)},"TaskResources":${encodeJson(Object.fromEntries(tasks))}`;
  });
}
