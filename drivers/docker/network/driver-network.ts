import type Docker from "dockerode";
import type { DriverNetwork } from "../../../agent/model/service-address.js";
import type { TaskSpec } from "../../driver.js";
import { parseTaskConfig } from "../config/task-config.js";
import { networking } from "../container/networking.js";

/** Networks of the engine whose addresses nobody but this host reaches. */
const inner = ["bridge", "nat"];

/**
 * Where a container's services may be found. Source: reference behaviour §6.5.
 *
 * @returns undefined for a container without an address of its own.
 */
export function driverNetwork(
  spec: TaskSpec,
  { NetworkSettings }: Pick<Docker.ContainerInspectInfo, "NetworkSettings">,
): DriverNetwork | undefined {
  const [name, first] = Object.entries(NetworkSettings.Networks ?? {}).find(([, { IPAddress }]) => IPAddress !== "") ?? [];
  if (name === undefined || first === undefined) return undefined;
  return { ip: first.IPAddress, ports: portsOf(spec), autoAdvertise: !inner.includes(name) };
}

function portsOf(spec: TaskSpec): Readonly<Record<string, number>> {
  try {
    const { mappings } = networking(spec, parseTaskConfig(spec.config));
    return Object.fromEntries(mappings.map(({ label, containerPort }) => [label, containerPort]));
  } catch {
    // It was started with another config, when it was taken up: its ports are the host's.
    return {};
  }
}
