import type { AllocatedPort, AllocatedResources } from "./allocation.js";
import { FieldReader } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { NetworkResource, TaskGroup } from "./job.js";
import { maxPort, readNetwork } from "./network-intake.js";
import { readResources } from "./task-intake.js";

/**
 * What an allocation was given: its `AllocatedResources`, else its `TaskResources` and `SharedResources`, else what its
 * group asks for.
 *
 * @param from the allocation.
 */
export function allocatedResources(from: FieldReader, group: TaskGroup): AllocatedResources {
  const resources = from.object("AllocatedResources", (value, at) => readAllocated(value, at, group)) ?? derived(from, group);
  checkPortsGiven(resources, group, from);
  return resources;
}

/** Whoever places an allocation picks its ports; a task that looks for one would find 0. */
function checkPortsGiven({ Shared }: AllocatedResources, group: TaskGroup, from: FieldReader): void {
  for (const { Label } of portsOf(group.Networks)) {
    if (!Shared.Ports?.some((port) => port.Label === Label && port.Value > 0))
      throw new InvalidField(`${from.at("AllocatedResources")}.Shared.Ports`, Shared.Ports, `a port of label ${JSON.stringify(Label)}`);
  }
}

/** The ports of the networks as a flat list. */
const portsOf = (networks: readonly NetworkResource[] | null): readonly AllocatedPort[] =>
  (networks ?? []).flatMap(({ IP, ReservedPorts, DynamicPorts }) =>
    [...(ReservedPorts ?? []), ...(DynamicPorts ?? [])].map(({ HostNetwork: _, ...port }) => ({ ...port, HostIP: IP })),
  );

function readAllocated(value: unknown, path: string, group: TaskGroup): AllocatedResources {
  const from = new FieldReader(value, path);
  const tasks = new FieldReader(from.raw("Tasks") ?? {}, from.at("Tasks"));
  const shared = new FieldReader(from.raw("Shared") ?? {}, from.at("Shared"));
  const Networks = shared.list("Networks", readNetwork);
  return {
    Tasks: Object.fromEntries(
      group.Tasks.map((task) => {
        const own = new FieldReader(tasks.own(task.Name) ?? {}, tasks.at(task.Name));
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
            Networks: own.list("Networks", readNetwork),
            Devices: null,
          },
        ];
      }),
    ),
    TaskLifecycles: lifecycles(group),
    Shared: {
      DiskMB: shared.whole("DiskMB", group.EphemeralDisk.SizeMB),
      Networks,
      Ports: shared.list("Ports", readPort) ?? portsOrNull(Networks),
    },
  };
}

/** From `TaskResources` and `SharedResources`, which a control plane of before Nomad 0.9 sends, else from the job. */
function derived(from: FieldReader, group: TaskGroup): AllocatedResources {
  const given = new FieldReader(from.raw("TaskResources") ?? {}, from.at("TaskResources"));
  const shared = from.object("SharedResources", readResources);
  const networks = shared?.Networks ?? null;
  return {
    Tasks: Object.fromEntries(
      group.Tasks.map((task) => {
        const own = given.own(task.Name);
        const { CPU, MemoryMB, MemoryMaxMB, Networks } = own === undefined ? task.Resources : readResources(own, given.at(task.Name));
        return [task.Name, { Cpu: { CpuShares: CPU, ReservedCores: null }, Memory: { MemoryMB, MemoryMaxMB }, Networks, Devices: null }];
      }),
    ),
    TaskLifecycles: lifecycles(group),
    Shared: { DiskMB: shared?.DiskMB || group.EphemeralDisk.SizeMB, Networks: networks, Ports: portsOrNull(networks) },
  };
}

const lifecycles = (group: TaskGroup): AllocatedResources["TaskLifecycles"] =>
  Object.fromEntries(group.Tasks.map(({ Name, Lifecycle }) => [Name, Lifecycle && { Hook: Lifecycle.Hook, Sidecar: Lifecycle.Sidecar }]));

function portsOrNull(networks: readonly NetworkResource[] | null): readonly AllocatedPort[] | null {
  const ports = portsOf(networks);
  return ports.length > 0 ? ports : null;
}

function readPort(value: unknown, path: string): AllocatedPort {
  const from = new FieldReader(value, path);
  return {
    Label: from.needed("Label"),
    Value: from.whole("Value", 0, { max: maxPort }),
    To: from.whole("To", 0, { min: -1, max: maxPort }),
    HostIP: from.text("HostIP"),
    ...(from.flag("IgnoreCollision") && { IgnoreCollision: true }),
  };
}

function readCore(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidField(path, value, "a whole number of 0 or more");
  return value;
}
