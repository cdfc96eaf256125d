import type { AllocatedPort, Allocation } from "./allocation.js";
import { interpolateText, type Lookup } from "./interpolate.js";
import type { Service } from "./job.js";
import type { Node } from "./node.js";
import { type AddressSources, type DriverNetwork, resolveAddress } from "./service-address.js";

/** One instance of a service, as it is found by its name. */
export interface ServiceRegistration extends NewRegistration {
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface NewRegistration {
  /** `_nomad-task-<allocation>-<task, or group-<group>>-<service>-<port label>` */
  readonly ID: string;
  readonly ServiceName: string;
  readonly Namespace: string;
  readonly NodeID: string;
  readonly Datacenter: string;
  readonly JobID: string;
  readonly AllocID: string;
  readonly Tags: readonly string[];
  /** Not shown by the API, as Nomad knows none; filters see it. */
  readonly Meta: Readonly<Record<string, string>>;
  readonly Address: string;
  readonly Port: number;
}

/** Whose services they are. */
export interface ServiceScope {
  readonly alloc: Allocation;
  readonly node: Node;
  /** The task's name; null for the group's own services. */
  readonly task: string | null;
  /** What the texts of the services may refer to. */
  readonly lookup: Lookup;
  /** The network of the task's run, when its driver gives it one. */
  readonly driver: DriverNetwork | null;
}

/** @throws AddressError when there is no such address. Source: reference behaviour §10. */
export function registrationOf(service: Service, scope: ServiceScope): NewRegistration {
  const { alloc, node, task, lookup } = scope;
  const text = (value: string): string => interpolateText(value, lookup);
  const isCanary = alloc.DeploymentStatus?.Canary ?? false;
  const ServiceName = text(service.Name);
  const PortLabel = text(service.PortLabel);
  const { address, port } = resolveAddress(service.AddressMode, PortLabel, text(service.Address), addressSources(scope));
  const tags = isCanary && service.CanaryTags?.length ? service.CanaryTags : (service.Tags ?? []);
  const meta = { ...service.Meta, ...(isCanary ? service.CanaryMeta : null) };
  return {
    ID: `_nomad-task-${alloc.ID}-${task ?? `group-${alloc.TaskGroup}`}-${ServiceName}-${PortLabel}`,
    ServiceName,
    Namespace: alloc.Namespace,
    NodeID: alloc.NodeID,
    Datacenter: node.Datacenter,
    JobID: alloc.JobID,
    AllocID: alloc.ID,
    Tags: tags.map(text),
    Meta: Object.fromEntries(Object.entries(meta).map(([key, value]) => [key, text(value)])),
    Address: address,
    Port: port,
  };
}

export function addressSources({ alloc, node, task, driver }: ServiceScope): AddressSources {
  const { Shared, Tasks } = alloc.AllocatedResources;
  const own = task === null ? [] : (Tasks[task]?.Networks ?? []);
  return {
    ports: [...(Shared.Ports ?? []), ...own.flatMap(networkPorts)],
    hostIP: node.NetworkIP,
    alloc: alloc.NetworkStatus,
    driver,
  };
}

type TaskNetwork = NonNullable<Allocation["AllocatedResources"]["Tasks"][string]["Networks"]>[number];

/** A task's own networks are an older form of ports. */
const networkPorts = ({ IP, ReservedPorts, DynamicPorts }: TaskNetwork): AllocatedPort[] =>
  [...(ReservedPorts ?? []), ...(DynamicPorts ?? [])].map(({ Label, Value, To }) => ({ Label, Value, To: To ?? 0, HostIP: IP }));
