import type { AllocatedPort, AllocNetworkStatus } from "./allocation.js";
import type { Service } from "./job.js";

/** A network of a driver's own, such as a container's. */
export interface DriverNetwork {
  readonly ip: string;
  /** By label. */
  readonly ports: Readonly<Record<string, number>>;
  /** Whether services are to be found there unless they say otherwise. */
  readonly autoAdvertise: boolean;
}

/** What an address may be made of. */
export interface AddressSources {
  /** Those of the group, and of the task whose service it is. */
  readonly ports: readonly AllocatedPort[];
  /** The host's own address. */
  readonly hostIP: string;
  /** The allocation's network; null when it has none of its own. */
  readonly alloc: AllocNetworkStatus | null;
  readonly driver: DriverNetwork | null;
}

export interface ServiceAddress {
  readonly address: string;
  /** 0 when there is none. */
  readonly port: number;
}

/** A service or check that has no address. `message` is Nomad's text. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

/**
 * Where a service or check is to be found. Source: reference behaviour §10, and its field descriptions of `address_mode`.
 *
 * @param label a port's label or its number; empty for a service without a port.
 * @param custom an address that the job gives, or "".
 * @throws AddressError
 */
export function resolveAddress(mode: Service["AddressMode"], label: string, custom: string, sources: AddressSources): ServiceAddress {
  const { alloc, driver, hostIP } = sources;
  switch (mode) {
    case "alloc":
      if (!alloc) throw new AddressError(`cannot use address_mode="alloc": no allocation network status reported`);
      return { address: alloc.Address, port: portOf(label, sources, inside) };
    case "driver":
      if (!driver) throw new AddressError(`cannot use address_mode="driver": no driver network exists`);
      return { address: driver.ip, port: portOf(label, sources, (port) => driver.ports[port.Label] ?? inside(port)) };
    case "auto":
      if (custom !== "") return { address: custom, port: portOf(label, sources, outside) };
      return resolveAddress(driver?.autoAdvertise ? "driver" : "host", label, "", sources);
    case "host":
      return { address: find(label, sources)?.HostIP || hostIP, port: portOf(label, sources, outside) };
  }
}

const outside = (port: AllocatedPort): number => port.Value;
const inside = (port: AllocatedPort): number => (port.To > 0 ? port.To : port.Value);

const find = (label: string, { ports }: AddressSources): AllocatedPort | undefined => ports.find((port) => port.Label === label);

function portOf(label: string, sources: AddressSources, numberOf: (port: AllocatedPort) => number): number {
  if (label === "") return 0;
  const port = find(label, sources);
  if (port) return numberOf(port);
  if (!/^\d{1,5}$/.test(label)) throw new AddressError(`invalid port ${JSON.stringify(label)}: port label not found`);
  const number = Number(label);
  if (number < 1 || number > 65_535) throw new AddressError(`invalid port ${JSON.stringify(label)}: port must be between 1 and 65535`);
  return number;
}
