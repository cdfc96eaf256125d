import type { AllocatedPort, Allocation, AllocNetworkStatus } from "./allocation.js";
import { interpolateText, nodeLookup, taskLookup } from "./interpolate.js";
import type { Task, TaskGroup } from "./job.js";
import { nameIndex } from "./names.js";
import type { Node } from "./node.js";
import { dispatchedWith } from "./parent-job.js";
import { noResources } from "./resources.js";

export type Env = Record<string, string>;

export interface TaskEnvInput {
  readonly alloc: Pick<Allocation, "ID" | "Name" | "Namespace" | "Job" | "TaskGroup" | "AllocatedResources"> &
    Partial<Pick<Allocation, "NetworkStatus">>;
  readonly group: TaskGroup;
  readonly task: Pick<Task, "Name" | "Env" | "Meta" | "Resources">;
  readonly node: Node;
  /** The directories as the task sees them. */
  readonly paths: { readonly alloc: string; readonly local: string; readonly secrets: string };
  /** The agent's own variables, for tasks that inherit them. */
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  /** Variables of the agent that no task gets. `*` stands for anything. */
  readonly denied: readonly string[];
}

const defaultRegion = "global";

/**
 * A task's variables. Later layers win: built-in ones and meta, the host's (only where nothing is set), the task's `Env`.
 * Source: reference behaviour §5.8.
 */
export function taskEnv(input: TaskEnvInput): Env {
  const { node, task } = input;
  const host = nodeLookup(node, regionOf(input));
  const env: Env = { ...allocVariables(input), ...resourceVariables(input), ...portVariables(input), ...metaVariables(input) };
  for (const [name, value] of Object.entries(inherited(input.hostEnv, input.denied))) env[name] ??= value;
  const lookup = taskLookup({ ...env }, host);
  for (const [name, value] of Object.entries(task.Env ?? {})) env[name] = interpolateText(value, lookup);
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [cleanName(name), value]));
}

/** What all tasks of an allocation have of it, and nothing that belongs to one: for the group's own services. */
export function allocEnv(input: Omit<TaskEnvInput, "task" | "paths">): Env {
  const task = { Name: "", Env: null, Meta: null, Resources: noResources };
  const env = taskEnv({ ...input, task, paths: { alloc: "", local: "", secrets: "" } });
  for (const name of ownNames) delete env[name];
  return env;
}

const ownNames = ["NOMAD_TASK_NAME", "NOMAD_ALLOC_DIR", "NOMAD_TASK_DIR", "NOMAD_SECRETS_DIR", "NOMAD_CPU_CORES"];

const regionOf = ({ alloc }: TaskEnvInput): string => alloc.Job.Region || defaultRegion;

function allocVariables(input: TaskEnvInput): Env {
  const { alloc, group, task, node, paths } = input;
  const { Job } = alloc;
  return {
    NOMAD_ALLOC_DIR: paths.alloc,
    NOMAD_TASK_DIR: paths.local,
    NOMAD_SECRETS_DIR: paths.secrets,
    NOMAD_ALLOC_ID: alloc.ID,
    NOMAD_SHORT_ALLOC_ID: alloc.ID.slice(0, 8),
    NOMAD_ALLOC_NAME: alloc.Name,
    NOMAD_ALLOC_INDEX: String(Math.max(0, nameIndex(alloc.Name))),
    NOMAD_TASK_NAME: task.Name,
    NOMAD_GROUP_NAME: group.Name,
    NOMAD_JOB_ID: Job.ID,
    NOMAD_JOB_NAME: Job.Name,
    ...(Job.ParentID ? { NOMAD_JOB_PARENT_ID: Job.ParentID } : {}),
    NOMAD_NAMESPACE: alloc.Namespace,
    NOMAD_REGION: regionOf(input),
    NOMAD_DC: node.Datacenter,
    ...(node.CgroupParent ? { NOMAD_PARENT_CGROUP: node.CgroupParent } : {}),
  };
}

function resourceVariables({ alloc, task }: TaskEnvInput): Env {
  const given = alloc.AllocatedResources.Tasks[task.Name];
  const limits = {
    NOMAD_CPU_LIMIT: given?.Cpu.CpuShares ?? task.Resources.CPU,
    NOMAD_MEMORY_LIMIT: given?.Memory.MemoryMB ?? task.Resources.MemoryMB,
    NOMAD_MEMORY_MAX_LIMIT: given?.Memory.MemoryMaxMB ?? task.Resources.MemoryMaxMB,
  };
  const env: Env = {};
  for (const [name, value] of Object.entries(limits)) if (value) env[name] = String(value);
  // Without reserved cores Nomad says a single space.
  env.NOMAD_CPU_CORES = coreList(given?.Cpu.ReservedCores ?? []) || " ";
  return env;
}

/** `0-1,3`, as cgroups write it. */
function coreList(cores: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const core of [...cores].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && core === last[1] + 1) last[1] = core;
    else ranges.push([core, core]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(",");
}

function portVariables({ alloc, task }: TaskEnvInput): Env {
  const { Shared, Tasks } = alloc.AllocatedResources;
  const env: Env = {};
  for (const port of Shared.Ports ?? []) addPort(env, port.Label, port.HostIP, port.Value, port.To);
  const { NetworkStatus } = alloc;
  if (NetworkStatus) for (const port of Shared.Ports ?? []) addInside(env, port, NetworkStatus);
  // Networks of single tasks are an older form; other tasks' ports carry their task's name.
  for (const [name, { Networks }] of Object.entries(Tasks)) {
    for (const network of Networks ?? []) {
      for (const port of [...(network.ReservedPorts ?? []), ...(network.DynamicPorts ?? [])]) {
        if (name === task.Name) addPort(env, port.Label, network.IP, port.Value, port.To);
        else addForeignPort(env, `${name}_${port.Label}`, network.IP, port.Value);
      }
    }
  }
  return env;
}

function addPort(env: Env, label: string, ip: string, value: number, to: number | undefined): void {
  const inside = String(to !== undefined && to > 0 ? to : value);
  const address = hostPort(ip, value);
  Object.assign(env, {
    [`NOMAD_IP_${label}`]: ip,
    [`NOMAD_HOST_IP_${label}`]: ip,
    [`NOMAD_ADDR_${label}`]: address,
    [`NOMAD_HOST_ADDR_${label}`]: address,
    [`NOMAD_HOST_PORT_${label}`]: String(value),
    [`NOMAD_PORT_${label}`]: inside,
    [`NOMAD_ALLOC_PORT_${label}`]: inside,
  });
}

/** Of a network of the group's own. */
function addInside(env: Env, { Label, Value, To }: AllocatedPort, { Address, InterfaceName }: AllocNetworkStatus): void {
  env[`NOMAD_ALLOC_IP_${Label}`] = Address;
  env[`NOMAD_ALLOC_INTERFACE_${Label}`] = InterfaceName;
  env[`NOMAD_ALLOC_ADDR_${Label}`] = hostPort(Address, To > 0 ? To : Value);
}

function addForeignPort(env: Env, suffix: string, ip: string, value: number): void {
  env[`NOMAD_IP_${suffix}`] = ip;
  env[`NOMAD_PORT_${suffix}`] = String(value);
  env[`NOMAD_ADDR_${suffix}`] = hostPort(ip, value);
}

const hostPort = (ip: string, port: number): string => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);

/** Meta of job, group and task, each key as it is and in capitals. */
function metaVariables(input: TaskEnvInput): Env {
  const { alloc, group, task, node } = input;
  const lookup = nodeLookup(node, regionOf(input));
  const env: Env = {};
  // Optional meta that a dispatch did not give is there, and empty.
  const optional = Object.fromEntries((dispatchedWith(alloc.Job)?.MetaOptional ?? []).map((key) => [key, ""]));
  for (const [key, value] of Object.entries({ ...optional, ...alloc.Job.Meta, ...group.Meta, ...task.Meta })) {
    const text = interpolateText(value, lookup);
    env[`NOMAD_META_${key.toUpperCase()}`] = text;
    env[`NOMAD_META_${key}`] = text;
  }
  return env;
}

function inherited(hostEnv: TaskEnvInput["hostEnv"], denied: readonly string[]): Env {
  const patterns = denied.map(glob);
  const env: Env = {};
  for (const [name, value] of Object.entries(hostEnv)) {
    if (value !== undefined && !patterns.some((pattern) => pattern.test(name))) env[name] = value;
  }
  return env;
}

const glob = (pattern: string): RegExp => new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);

const cleaned = ["NOMAD_ADDR_", "NOMAD_IP_", "NOMAD_PORT_", "NOMAD_HOST_PORT_", "NOMAD_META_"];

/** Shells can not name a variable with a dash: labels and meta keys lose theirs. */
const cleanName = (name: string): string =>
  cleaned.some((prefix) => name.startsWith(prefix)) ? name.replace(/[^a-zA-Z0-9_.]/g, "_") : name;
