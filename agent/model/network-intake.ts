import { FieldReader, noneTwice, readText } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { NetworkResource, Port, Service } from "./job.js";

const maxPort = 65_535;

export function readNetworks(from: FieldReader): readonly NetworkResource[] | null {
  const networks = from.list("Networks", readNetwork);
  if (networks && networks.length > 1) throw new InvalidField(from.at("Networks"), networks.length, "one network at most");
  return networks;
}

function readNetwork(value: unknown, path: string): NetworkResource {
  const from = new FieldReader(value, path);
  const ReservedPorts = from.list("ReservedPorts", (port, at) => readPort(port, at, 1));
  const DynamicPorts = from.list("DynamicPorts", (port, at) => readPort(port, at, 0));
  noneTwice(
    [...(ReservedPorts ?? []), ...(DynamicPorts ?? [])].map(({ Label }) => ({ Label })),
    "Label",
    `${path}.Ports`,
  );
  return {
    DNS: null,
    Hostname: "",
    ...from.others(["Mode", "Device", "CIDR", "IP", "MBits", "ReservedPorts", "DynamicPorts"]),
    Mode: from.text("Mode"),
    Device: from.text("Device"),
    CIDR: from.text("CIDR"),
    IP: from.text("IP"),
    MBits: from.whole("MBits", 0),
    ReservedPorts,
    DynamicPorts,
  };
}

/** @param min 1 for a port that is asked for by number. */
function readPort(value: unknown, path: string, min: number): Port {
  const from = new FieldReader(value, path);
  return {
    ...from.others(["Label", "Value", "To", "HostNetwork"]),
    Label: from.needed("Label"),
    Value: from.whole("Value", 0, { min, max: maxPort }),
    To: from.whole("To", 0, { min: -1, max: maxPort }),
    HostNetwork: from.text("HostNetwork", "default"),
  };
}

export function readService(value: unknown, path: string): Service {
  const from = new FieldReader(value, path);
  return {
    ...from.others(["Name", "Provider", "PortLabel", "AddressMode", "Address", "Tags"]),
    Name: from.text("Name"),
    Provider: from.oneOf("Provider", ["nomad", "consul"], "consul"),
    PortLabel: from.text("PortLabel"),
    AddressMode: from.oneOf("AddressMode", ["auto", "host", "driver", "alloc"], "auto"),
    Address: from.text("Address"),
    Tags: from.list("Tags", readText),
  };
}
