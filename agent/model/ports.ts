import type { AllocatedPort } from "./allocation.js";
import type { NetworkResource, Port } from "./job.js";

/** Where ports are given out. */
export interface PortSpace {
  readonly ip: string;
  readonly device: string;
  /** The first and the last port that a dynamic one may be. */
  readonly min: number;
  readonly max: number;
  /** Held by an allocation, or given out before in this placement. */
  readonly taken: (port: number) => boolean;
  /** Something else on the host listens there: never picked as a dynamic one. */
  readonly busy: (port: number) => boolean;
  /** 0 up to, not including, 1. */
  readonly random: () => number;
}

export interface GrantedNetwork {
  readonly network: NetworkResource;
  readonly ports: readonly AllocatedPort[];
}

/** Ports that can not be had. The message is the dimension that a placement's metrics name. */
export class PortsExhausted extends Error {
  override readonly name = "PortsExhausted";
}

/**
 * Gives every port of one network block its number.
 *
 * @throws PortsExhausted. Source: the texts of Nomad's network index.
 */
export function grantNetwork(ask: NetworkResource, space: PortSpace): GrantedNetwork {
  const given = new Set<number>();
  const free = (port: number): boolean => !given.has(port) && !space.taken(port);
  const reserved = (ask.ReservedPorts ?? []).map((port) => {
    if (!port.IgnoreCollision && !free(port.Value))
      throw new PortsExhausted(`network: reserved port collision ${port.Label}=${port.Value}`);
    given.add(port.Value);
    return port;
  });
  const dynamic = (ask.DynamicPorts ?? []).map((port) => {
    const value = pickPort(space, (candidate) => free(candidate) && !space.busy(candidate));
    given.add(value);
    // Nomad's "to = -1": the port inside the network namespace is the one that was picked outside.
    return { ...port, Value: value, To: port.To === -1 ? value : port.To };
  });
  return {
    network: {
      ...ask,
      Device: ask.Device || space.device,
      IP: ask.IP || space.ip,
      ReservedPorts: ask.ReservedPorts ? reserved : ask.ReservedPorts,
      DynamicPorts: ask.DynamicPorts ? dynamic : ask.DynamicPorts,
    },
    ports: [...reserved, ...dynamic].map((port) => allocated(port, ask.IP || space.ip)),
  };
}

const allocated = ({ HostNetwork: _, ...port }: Port, ip: string): AllocatedPort => ({ ...port, HostIP: ip });

/** From a random start, so that ports are not reused at once, to the next free one. */
function pickPort({ min, max, random }: PortSpace, free: (port: number) => boolean): number {
  const size = max - min + 1;
  const start = Math.floor(random() * size);
  for (let i = 0; i < size; i++) {
    const port = min + ((start + i) % size);
    if (free(port)) return port;
  }
  throw new PortsExhausted("network: dynamic port selection failed");
}
