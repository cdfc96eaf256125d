import type { AllocatedPort } from "../../../agent/model/allocation.js";
import { TaskConfigError, type TaskNetwork } from "../../driver.js";

export interface PortMapping {
  readonly label: string;
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

/**
 * Which of its ports a task publishes: with `ports` those of its group that it names; of a network of its own, the older
 * form, all. Source of the texts: reference behaviour §6.2, §6.3.
 *
 * @throws TaskConfigError that names the label.
 */
export function portMappings(ports: readonly string[], portMap: ReadonlyMap<string, number>, network: TaskNetwork): readonly PortMapping[] {
  if (portMap.size > 0 && network.taskPorts === null) {
    throw new TaskConfigError(
      network.ports.length > 0
        ? "'port_map' cannot map group network ports, use 'ports' instead"
        : "Trying to map ports but no network interface is available",
    );
  }
  const own = network.taskPorts ?? [];
  const unknown = [...portMap.keys()].find((label) => !own.some((port) => port.Label === label));
  if (unknown !== undefined) throw notFound(unknown);
  const named = ports.map((label) => {
    const port = [...network.ports, ...own].find((candidate) => candidate.Label === label);
    if (!port) throw notFound(label);
    return port;
  });
  return [...new Set([...named, ...own])].map((port) => ({
    label: port.Label,
    hostIp: port.HostIP,
    hostPort: port.Value,
    containerPort: portMap.get(port.Label) ?? inside(port),
  }));
}

const notFound = (label: string): TaskConfigError => new TaskConfigError(`Port "${label}" not found, check network block`);

/** The port inside a network namespace. */
export const inside = ({ To, Value }: Pick<AllocatedPort, "To" | "Value">): number => (To > 0 ? To : Value);

/** Nobody says which protocol a port is for, so both are published. Source: reference behaviour §6.3. */
export function publish(mappings: readonly Omit<PortMapping, "label">[]): {
  readonly ExposedPorts: Record<string, Record<string, never>>;
  readonly PortBindings: Record<string, { HostIp: string; HostPort: string }[]>;
} {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { hostIp, hostPort, containerPort } of mappings) {
    for (const protocol of ["tcp", "udp"]) {
      bindings[`${containerPort}/${protocol}`] ??= [];
      bindings[`${containerPort}/${protocol}`]?.push({ HostIp: hostIp, HostPort: String(hostPort) });
    }
  }
  return { ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])), PortBindings: bindings };
}
