import { FieldReader } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { NetworkResource, Port } from "./job.js";

export const maxPort = 65_535;

export function readNetworks(from: FieldReader): readonly NetworkResource[] | null {
  const networks = from.list("Networks", readNetwork);
  if (networks && networks.length > 1) throw new InvalidField(from.at("Networks"), networks.length, "one network at most");
  return networks;
}

export function readNetwork(value: unknown, path: string): NetworkResource {
  const from = new FieldReader(value, path);
  const ReservedPorts = from.list("ReservedPorts", (port, at) => readPort(port, at, 1));
  const DynamicPorts = from.list("DynamicPorts", (port, at) => readPort(port, at, 0));
  checkPorts(ReservedPorts ?? [], DynamicPorts ?? [], path);
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

/** Labels become environment variables, and a static port can be had once. */
function checkPorts(reserved: readonly Port[], dynamic: readonly Port[], path: string): void {
  const labels = new Set<string>();
  const numbers = new Set<number>();
  const placed = [
    ...reserved.map((port, i) => ({ ...port, at: `${path}.ReservedPorts[${i}]` })),
    ...dynamic.map((port, i) => ({ ...port, at: `${path}.DynamicPorts[${i}]` })),
  ];
  for (const { at, Label, Value, IgnoreCollision } of placed) {
    if (labels.has(Label)) throw new InvalidField(`${at}.Label`, Label, "a label that no other port has");
    labels.add(Label);
    if (Value !== 0 && numbers.has(Value) && !IgnoreCollision)
      throw new InvalidField(`${at}.Value`, Value, "a port that no other label has");
    numbers.add(Value);
  }
}
