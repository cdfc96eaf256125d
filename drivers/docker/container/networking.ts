import { TaskConfigError, type TaskSpec } from "../../driver.js";
import type { DockerTaskConfig } from "../config/task-config.js";
import { holderName } from "./names.js";
import { type PortMapping, portMappings, publish } from "./ports.js";

const builtInModes = ["default", "bridge", "host", "none"];

export interface Networking {
  readonly mappings: readonly PortMapping[];
  readonly host: Readonly<Record<string, unknown>>;
  readonly container: Readonly<Record<string, unknown>>;
}

/**
 * How a container is reached, and reaches others. Source: reference behaviour §6.3.
 *
 * @throws TaskConfigError that names the key.
 */
export function networking({ allocId, network }: TaskSpec, config: DockerTaskConfig): Networking {
  const isShared = config.networkMode === "" && network.mode === "bridge";
  const mode = config.networkMode || { host: "default", bridge: `container:${holderName(allocId)}`, none: "none" }[network.mode];
  if (isShared) refuseInShared(config);
  // What holds a group's network publishes the group's ports, for all its tasks.
  const mappings = portMappings(config.ports, config.portMap, network);
  const { ExposedPorts, PortBindings } = publish(isShared ? [] : mappings);
  return {
    mappings,
    host: {
      NetworkMode: mode,
      PortBindings,
      Dns: config.dnsServers,
      DnsSearch: config.dnsSearchDomains,
      DnsOptions: config.dnsOptions,
      ExtraHosts: config.extraHosts,
    },
    container: {
      ...(config.hostname === "" ? {} : { Hostname: config.hostname }),
      ...(config.macAddress === "" ? {} : { MacAddress: config.macAddress }),
      ...(Object.keys(ExposedPorts).length > 0 ? { ExposedPorts } : {}),
      ...endpoint(mode, config),
    },
  };
}

/** All these belong to the network's holder: the engine has no place for them in a container that joins it. */
function refuseInShared(config: DockerTaskConfig): void {
  const given = {
    hostname: config.hostname,
    mac_address: config.macAddress,
    dns_servers: config.dnsServers.join(),
    dns_search_domains: config.dnsSearchDomains.join(),
    dns_options: config.dnsOptions.join(),
    extra_hosts: config.extraHosts.join(),
  };
  const [key] = Object.entries(given).find(([, value]) => value !== "") ?? [];
  if (key !== undefined) {
    const instead = key.startsWith("dns")
      ? ": use the dns block of the group's network"
      : key === "hostname"
        ? ": use the hostname of the group's network"
        : "";
    throw new TaskConfigError(`${key} can not be set for one task of a group with network mode "bridge"${instead}`);
  }
}

function endpoint(mode: string, { networkAliases, ipv4Address, ipv6Address }: DockerTaskConfig): Readonly<Record<string, unknown>> {
  const given = { network_aliases: networkAliases.join(), ipv4_address: ipv4Address, ipv6_address: ipv6Address };
  const [key] = Object.entries(given).find(([, value]) => value !== "") ?? [];
  if (key === undefined) return {};
  if (builtInModes.includes(mode) || mode.startsWith("container:"))
    throw new TaskConfigError(`${key} needs a network_mode that names a network of the engine, got "${mode}"`);
  const IPAMConfig = {
    ...(ipv4Address === "" ? {} : { IPv4Address: ipv4Address }),
    ...(ipv6Address === "" ? {} : { IPv6Address: ipv6Address }),
  };
  return { NetworkingConfig: { EndpointsConfig: { [mode]: { Aliases: networkAliases, IPAMConfig } } } };
}
