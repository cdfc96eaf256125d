import os from "node:os";
import type { Driver } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { DriverInfo, HostVolume, Node, NodeCapacity } from "../model/node.js";
import { addressOf, cgroupsVersion, cpuFacts, diskFacts, type HostPaths, osFacts, toMiB } from "./host-facts.js";
import { loadNodeId } from "./node-id.js";

/** The Nomad version whose behaviour the agent has: constraints of jobs compare with it. */
const COMPATIBLE_VERSION = "1.10.0";

export interface NodeOptions {
  /** Absolute; exists. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** `host:port` of the API. */
  readonly httpAddr: string;
  /** Default: the host's name. */
  readonly name?: string;
  readonly datacenter?: string;
  readonly nodePool?: string;
  readonly nodeClass?: string;
  readonly meta?: Readonly<Record<string, string>>;
  /** The interface whose address ports are allocated on; "" is loopback. */
  readonly networkInterface?: string;
  /** Instead of what was found: MHz over all cores, MiB. */
  readonly total?: Partial<NodeCapacity>;
  /** Kept away from tasks: MHz, cores, MiB. */
  readonly reserved?: Partial<NodeCapacity>;
  readonly minDynamicPort?: number;
  readonly maxDynamicPort?: number;
  readonly cgroupParent?: string;
  readonly hostVolumes?: Readonly<Record<string, HostVolume>>;
  readonly paths?: HostPaths;
}

/**
 * Looks at the host.
 *
 * @throws Error when the data directory or the interface is not there.
 */
export async function fingerprintNode(options: NodeOptions, drivers: ReadonlyMap<string, Driver>): Promise<Node> {
  const paths = options.paths ?? { proc: "/proc", sys: "/sys", etc: "/etc" };
  const [id, cpu, disk, system, cgroups, driverInfos] = await Promise.all([
    loadNodeId(options.dataDir),
    cpuFacts(paths),
    diskFacts(options.dataDir, paths),
    osFacts(paths),
    cgroupsVersion(paths),
    fingerprintDrivers(drivers),
  ]);
  const network = addressOf(options.networkInterface ?? "");
  const reserved: NodeCapacity = { CpuShares: 0, Cores: 0, MemoryMB: 0, DiskMB: 0, ...options.reserved };
  const resources: NodeCapacity = {
    CpuShares: cpu.cores * cpu.mhz,
    Cores: cpu.cores,
    MemoryMB: toMiB(os.totalmem()),
    DiskMB: toMiB(disk.totalBytes),
    ...options.total,
  };
  const attributes: Record<string, string> = {
    "kernel.name": "linux",
    "kernel.version": os.release(),
    "kernel.arch": os.machine(),
    "os.name": system.name,
    "os.version": system.version,
    "os.signals": Object.keys(os.constants.signals).join(","),
    "os.cgroups.version": cgroups,
    "cpu.arch": os.arch() === "x64" ? "amd64" : os.arch(),
    "cpu.numcores": String(cpu.cores),
    "cpu.reservablecores": String(cpu.cores),
    "cpu.frequency": String(cpu.mhz),
    "cpu.modelname": cpu.model,
    "cpu.totalcompute": String(resources.CpuShares),
    "cpu.usablecompute": String(resources.CpuShares - reserved.CpuShares),
    "memory.totalbytes": String(os.totalmem()),
    "nomad.version": COMPATIBLE_VERSION,
    "nomad.service_discovery": "true",
    "unique.advertise.address": options.httpAddr,
    "unique.hostname": os.hostname(),
    "unique.network.ip-address": network.ip,
    "unique.storage.volume": disk.volume,
    "unique.storage.bytestotal": String(disk.totalBytes),
    "unique.storage.bytesfree": String(disk.freeBytes),
    ...driverAttributes(driverInfos),
  };
  return {
    ID: id,
    Name: options.name || os.hostname(),
    Datacenter: options.datacenter ?? "dc1",
    NodePool: options.nodePool ?? "default",
    NodeClass: options.nodeClass ?? "",
    HTTPAddr: options.httpAddr,
    Attributes: Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== "")),
    Meta: options.meta ?? {},
    HostVolumes: options.hostVolumes ?? {},
    Drivers: driverInfos,
    Resources: resources,
    Reserved: reserved,
    NetworkIP: network.ip,
    NetworkDevice: network.device,
    MinDynamicPort: options.minDynamicPort ?? 20_000,
    MaxDynamicPort: options.maxDynamicPort ?? 32_000,
    Status: "ready",
    SchedulingEligibility: "eligible",
    DrainStrategy: null,
    LastDrain: null,
    CgroupParent: options.cgroupParent ?? "allocd.slice",
    StatusUpdatedAt: options.clock.now(),
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}

/** The same node with its drivers looked at again: the same object when nothing about them has changed. */
export async function refreshDrivers(node: Node, drivers: ReadonlyMap<string, Driver>): Promise<Node> {
  const infos = await fingerprintDrivers(drivers);
  if (Object.entries(infos).every(([name, info]) => sameHealth(info, node.Drivers[name]))) return node;
  const other = Object.fromEntries(Object.entries(node.Attributes).filter(([name]) => !name.startsWith("driver.")));
  return { ...node, Drivers: infos, Attributes: { ...other, ...driverAttributes(infos) } };
}

async function fingerprintDrivers(drivers: ReadonlyMap<string, Driver>): Promise<Record<string, DriverInfo>> {
  return Object.fromEntries(await Promise.all([...drivers].map(async ([name, driver]) => [name, await driver.fingerprint()] as const)));
}

function driverAttributes(drivers: Readonly<Record<string, DriverInfo>>): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [name, info] of Object.entries(drivers)) {
    if (!info.Detected) continue;
    Object.assign(attributes, info.Attributes);
    // A node says "1" of a driver that works, where the driver's own attributes say "true".
    if (info.Healthy) attributes[`driver.${name}`] = "1";
    else delete attributes[`driver.${name}`];
  }
  return attributes;
}

const sameHealth = (a: DriverInfo, b: DriverInfo | undefined): boolean =>
  b !== undefined &&
  a.Detected === b.Detected &&
  a.Healthy === b.Healthy &&
  a.HealthDescription === b.HealthDescription &&
  JSON.stringify(a.Attributes) === JSON.stringify(b.Attributes);
