import type { GroupNetworkMode, TaskDirs, TaskLimits, TaskMount, TaskNetwork, TaskSpec } from "../../drivers/driver.js";
import type { AllocatedPort, Allocation } from "../model/allocation.js";
import { interpolateConfig, nodeLookup, taskLookup } from "../model/interpolate.js";
import type { NetworkResource, Task, TaskGroup } from "../model/job.js";
import type { Node } from "../model/node.js";
import type { Env } from "../model/task-env.js";
import { volumeTargets } from "../model/volumes.js";

/** A task's `Config` with its references replaced. @throws InterpolationError that names the variable. */
export function driverConfig(alloc: Allocation, task: Task, node: Node, env: Env): Readonly<Record<string, unknown>> {
  return interpolateConfig(task.Config ?? {}, taskLookup(env, nodeLookup(node, alloc.Job.Region)));
}

/** The id of one run of a task: unique for ever. */
export const runIdOf = (allocId: string, task: string, run: number): string => `${allocId}.${task}.${run}`;

export interface TaskSpecInput {
  readonly alloc: Allocation;
  readonly task: Task;
  readonly run: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly env: Env;
  readonly dirs: TaskDirs;
  readonly mounts: readonly TaskMount[];
}

export const taskMounts = (task: Task, group: TaskGroup, node: Node): readonly TaskMount[] =>
  volumeTargets(task, group, node).map(({ mount, source, readOnly }) => ({
    source,
    target: mount.Destination,
    readOnly,
    propagation: mount.PropagationMode,
  }));

export function taskSpec({ alloc, task, run, config, env, dirs, mounts }: TaskSpecInput): TaskSpec {
  return {
    allocId: alloc.ID,
    task: task.Name,
    runId: runIdOf(alloc.ID, task.Name, run),
    config,
    user: task.User,
    env,
    dirs,
    mounts,
    logs: task.LogConfig,
    resources: limitsOf(alloc, task),
    network: networkOf(alloc, task),
    job: { namespace: alloc.Namespace, id: alloc.JobID, name: alloc.Job.Name, parentId: alloc.Job.ParentID, group: alloc.TaskGroup },
  };
}

/** The mode of a group's network, as its hook has let it pass. */
export const networkMode = (networks: readonly NetworkResource[] | null): GroupNetworkMode =>
  (networks?.[0]?.Mode || "host") as GroupNetworkMode;

function networkOf({ AllocatedResources: { Shared, Tasks } }: Allocation, task: Task): TaskNetwork {
  const taskPorts = Tasks[task.Name]?.Networks?.flatMap(portsOf) ?? null;
  return { mode: networkMode(Shared.Networks), ports: Shared.Ports ?? [], taskPorts };
}

const portsOf = ({ IP, ReservedPorts, DynamicPorts }: NetworkResource): readonly AllocatedPort[] =>
  [...(ReservedPorts ?? []), ...(DynamicPorts ?? [])].map(({ HostNetwork: _, ...port }) => ({ ...port, HostIP: IP }));

function limitsOf({ AllocatedResources }: Allocation, task: Task): TaskLimits {
  const given = AllocatedResources.Tasks[task.Name];
  return {
    cpuShares: given?.Cpu.CpuShares ?? task.Resources.CPU,
    memoryMB: given?.Memory.MemoryMB ?? task.Resources.MemoryMB,
    memoryMaxMB: given?.Memory.MemoryMaxMB ?? task.Resources.MemoryMaxMB,
    cores: given?.Cpu.ReservedCores ?? [],
  };
}
