import { cached, encodeTime } from "./encode-task-state.js";
import { computedClass } from "./feasibility.js";
import { encodeJson } from "./json.js";
import type { DrainStrategy, DriverInfo, LastDrain, Node } from "./node.js";

const nsPerSecond = 1_000_000_000n;
const wholes = new WeakMap<Node, string>();
const stubs = new WeakMap<Node, string>();

/** One element of GET /v1/nodes. */
export const encodeNodeStub = (node: Node): string =>
  cached(stubs, node, () => `{${common(node)},"Version":${JSON.stringify(node.Attributes["nomad.version"] ?? "")}}`);

/** GET /v1/node/:id */
export const encodeNode = (node: Node): string =>
  cached(wholes, node, () => `{${common(node)},${rest(node)},"DrainStrategy":${encodeDrain(node.DrainStrategy)}}`);

const common = (node: Node): string =>
  `${members({
    Address: node.HTTPAddr.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1"),
    CreateIndex: node.CreateIndex,
    Datacenter: node.Datacenter,
    Drain: node.DrainStrategy !== null,
    HostVolumes: node.HostVolumes ?? {},
    ID: node.ID,
    ModifyIndex: node.ModifyIndex,
    Name: node.Name,
    NodeClass: node.NodeClass,
    NodePool: node.NodePool,
    SchedulingEligibility: node.SchedulingEligibility,
    Status: node.Status,
    StatusDescription: "",
  })},"Drivers":${encodeDrivers(node.Drivers)},"LastDrain":${encodeLastDrain(node.LastDrain)}`;

const rest = (node: Node): string =>
  members({
    Attributes: node.Attributes,
    CSIControllerPlugins: {},
    CSINodePlugins: {},
    CgroupParent: node.CgroupParent,
    ComputedClass: computedClass(node),
    Events: null,
    GCVolumesOnNodeGC: false,
    HTTPAddr: node.HTTPAddr,
    HostNetworks: null,
    IdentitySigningKeyID: "",
    LastAllocUpdateIndex: 0,
    LastMissedHeartbeatIndex: 0,
    Links: {},
    Meta: node.Meta,
    NodeMaxAllocs: 0,
    NodeResources: {
      Cpu: { CpuShares: node.Resources.CpuShares, ReservableCpuCores: cores(node.Resources.Cores), TotalCpuCores: node.Resources.Cores },
      Devices: null,
      Disk: { DiskMB: node.Resources.DiskMB },
      MaxDynamicPort: node.MaxDynamicPort,
      Memory: { MemoryMB: node.Resources.MemoryMB },
      MinDynamicPort: node.MinDynamicPort,
      Networks: [
        { CIDR: `${node.NetworkIP}/${isIPv6(node) ? 128 : 32}`, Device: node.NetworkDevice, IP: node.NetworkIP, MBits: 1000, Mode: "host" },
      ],
      NodeNetworks: [
        {
          Addresses: [
            {
              Address: node.NetworkIP,
              Alias: "default",
              Family: isIPv6(node) ? "ipv6" : "ipv4",
              Gateway: "",
              ReservedPorts: "",
            },
          ],
          Device: node.NetworkDevice,
          MacAddress: "",
          Mode: "host",
          Speed: 1000,
        },
      ],
    },
    ReservedResources: {
      Cpu: { CpuShares: node.Reserved.CpuShares, ReservedCpuCores: null },
      Disk: { DiskMB: node.Reserved.DiskMB },
      Memory: { MemoryMB: node.Reserved.MemoryMB },
      Networks: { ReservedHostPorts: "" },
    },
    SecretID: "",
    StatusUpdatedAt: Number(node.StatusUpdatedAt / nsPerSecond),
    TLSEnabled: false,
  });

const encodeDrain = (drain: DrainStrategy | null): string =>
  drain === null
    ? "null"
    : `{${members({ Deadline: drain.Deadline, IgnoreSystemJobs: drain.IgnoreSystemJobs })}` +
      `,"ForceDeadline":${encodeTime(drain.ForceDeadline)},"StartedAt":${encodeTime(drain.StartedAt)}}`;

const encodeLastDrain = (drain: LastDrain | null): string =>
  drain === null
    ? "null"
    : `{${members({ AccessorID: drain.AccessorID, Meta: drain.Meta, Status: drain.Status })}` +
      `,"StartedAt":${encodeTime(drain.StartedAt)},"UpdatedAt":${encodeTime(drain.UpdatedAt)}}`;

function encodeDrivers(drivers: Readonly<Record<string, DriverInfo>>): string {
  const entries = Object.entries(drivers).map(
    ([name, { UpdateTime, ...info }]) => `${JSON.stringify(name)}:{${members(info)},"UpdateTime":${encodeTime(UpdateTime)}}`,
  );
  return `{${entries.join(",")}}`;
}

const isIPv6 = (node: Node): boolean => node.NetworkIP.includes(":");

const members = (value: object): string => encodeJson(value).slice(1, -1);

const cores = (count: number): readonly number[] => Array.from({ length: count }, (_, core) => core);
