import { FieldReader, readText } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { CheckRestart, NetworkResource, Service, ServiceCheck } from "./job.js";
import { SECOND } from "./units.js";

/** Whose service it is. */
export interface ServiceOwner {
  readonly namespace: string;
  readonly job: string;
  readonly group: string;
  /** Empty for a group's own service. */
  readonly task: string;
}

/** Nomad's service names: one label of a domain name. */
const serviceName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
/** A text with references is known only when the task is. */
const isOpen = (text: string): boolean => text.includes("${");
const isNumber = (label: string): boolean => /^\d+$/.test(label);

const emptyService = {
  Cluster: "default",
  Connect: null,
  EnableTagOverride: false,
  Identity: null,
  Kind: "",
  TaggedAddresses: null,
  Weights: null,
};

const emptyCheck = { Expose: false, GRPCService: "", GRPCUseTLS: false, Notes: "" };

const onUpdate = ["require_healthy", "ignore_warnings", "ignore"] as const;
const addressModes = ["auto", "host", "driver", "alloc"] as const;

/** Source of the defaults: the reference's samples. */
export const serviceReader =
  (owner: ServiceOwner) =>
  (value: unknown, path: string): Service => {
    const from = new FieldReader(value, path);
    const Name = readServiceName(from, owner);
    const OnUpdate = from.oneOf("OnUpdate", onUpdate, "require_healthy");
    const Provider = from.oneOf("Provider", ["nomad", "consul"], "consul");
    const AddressMode = from.oneOf("AddressMode", addressModes, "auto");
    const Address = from.text("Address");
    if (AddressMode === "driver" && owner.task === "") throw from.invalid("AddressMode", "one of auto, host, alloc: a group has no driver");
    if (Address !== "" && AddressMode !== "auto") throw from.invalid("AddressMode", 'auto: the service has an "Address" of its own');
    const PortLabel = from.text("PortLabel");
    const TaskName = from.text("TaskName") || owner.task;
    const service = { name: Name, port: PortLabel, onUpdate: OnUpdate, task: TaskName };
    return {
      ...from.passed(emptyService, known.service),
      Name,
      Namespace: from.text("Namespace") || (Provider === "nomad" ? owner.namespace : "default"),
      Provider,
      PortLabel,
      AddressMode,
      Address,
      Tags: from.list("Tags", readText),
      CanaryTags: from.list("CanaryTags", readText),
      Meta: from.texts("Meta"),
      CanaryMeta: from.texts("CanaryMeta"),
      TaskName,
      OnUpdate,
      Checks: from.list("Checks", (check, at) => readCheck(check, at, service)),
    };
  };

function readServiceName(from: FieldReader, owner: ServiceOwner): string {
  const name = from.text("Name") || [owner.job, owner.group, owner.task].filter(Boolean).join("-");
  if (isOpen(name) || serviceName.test(name)) return name;
  throw new InvalidField(from.at("Name"), name, "at most 63 letters, digits and hyphens, with no hyphen at either end");
}

interface CheckOwner {
  readonly name: string;
  readonly port: string;
  readonly onUpdate: (typeof onUpdate)[number];
  readonly task: string;
}

function readCheck(value: unknown, path: string, service: CheckOwner): ServiceCheck {
  const from = new FieldReader(value, path);
  const Type = from.oneOf("Type", ["http", "tcp", "script"], "http");
  const Interval = from.duration("Interval", 10 * SECOND, SECOND);
  const Timeout = from.duration("Timeout", 2 * SECOND, SECOND);
  const check: ServiceCheck = {
    ...from.passed(emptyCheck, known.check),
    Name: from.text("Name") || `service: "${service.name}" check`,
    Type,
    Command: Type === "script" ? from.needed("Command") : from.text("Command"),
    Args: from.list("Args", readText),
    Path: Type === "http" ? from.needed("Path") : from.text("Path"),
    Protocol: from.oneOf("Protocol", ["", "http", "https"], ""),
    PortLabel: from.text("PortLabel"),
    AddressMode: from.oneOf("AddressMode", ["", ...addressModes], ""),
    Interval,
    Timeout,
    InitialStatus: from.oneOf("InitialStatus", ["", "passing", "warning", "critical"], ""),
    TLSServerName: from.text("TLSServerName"),
    TLSSkipVerify: from.flag("TLSSkipVerify"),
    Method: readMethod(from),
    Header: readHeader(from),
    Body: from.text("Body"),
    TaskName: from.text("TaskName") || service.task,
    SuccessBeforePassing: from.whole("SuccessBeforePassing", 0),
    FailuresBeforeCritical: from.whole("FailuresBeforeCritical", 0),
    FailuresBeforeWarning: from.whole("FailuresBeforeWarning", 0),
    OnUpdate: from.oneOf("OnUpdate", onUpdate, service.onUpdate),
    CheckRestart: from.object("CheckRestart", readCheckRestart),
  };
  if (Type === "script" && check.TaskName === "") throw from.invalid("TaskName", "the task that the script runs in");
  if (Type !== "script" && check.PortLabel === "" && service.port === "")
    throw from.invalid("PortLabel", "a port: neither the check nor its service has one");
  return check;
}

function readMethod(from: FieldReader): string {
  const method = from.text("Method");
  if (method !== "" && !/^[A-Z]{1,32}$/i.test(method)) throw from.invalid("Method", "the name of an HTTP method");
  return method;
}

/** Texts by header, several for one. */
function readHeader(from: FieldReader): ServiceCheck["Header"] {
  return from.object("Header", (value, path) => {
    const reader = new FieldReader(value, path);
    const names = Object.keys(reader.others([]));
    for (const name of names) {
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new InvalidField(`${path}[${JSON.stringify(name)}]`, name, "a header's name");
    }
    const readValue = (text: unknown, at: string): string => {
      // A line break would begin another header.
      if (/[\r\n]/.test(readText(text, at))) throw new InvalidField(at, text, "a text of one line");
      return text as string;
    };
    return Object.fromEntries(names.map((name) => [name, reader.list(name, readValue) ?? []]));
  });
}

/** Source of the defaults: Nomad's check_restart block. */
function readCheckRestart(value: unknown, path: string): CheckRestart {
  const from = new FieldReader(value, path);
  return {
    ...from.others(["Limit", "Grace", "IgnoreWarnings"]),
    Limit: from.whole("Limit", 0),
    Grace: from.duration("Grace", SECOND),
    IgnoreWarnings: from.flag("IgnoreWarnings"),
  };
}

/**
 * Checks that the ports and tasks which services name are there.
 *
 * @param networks where the ports may be declared.
 * @param tasks the names of the group's tasks.
 * @throws InvalidField
 */
export function checkServices(
  services: readonly Service[] | null,
  path: string,
  networks: readonly (readonly NetworkResource[] | null)[],
  tasks: readonly string[],
): void {
  const labels = networks.flatMap((of) => (of ?? []).flatMap((n) => [...(n.ReservedPorts ?? []), ...(n.DynamicPorts ?? [])]));
  const names = [...new Set(labels.map(({ Label }) => Label))];
  const requirePort = (label: string, at: string): void => {
    if (label === "" || isNumber(label) || isOpen(label) || names.includes(label)) return;
    throw new InvalidField(
      at,
      label,
      names.length > 0 ? `a port's number or its label: ${names.join(", ")}` : "a port's number: there are no labels",
    );
  };
  const requireTask = (task: string, at: string): void => {
    if (task !== "" && !tasks.includes(task)) throw new InvalidField(at, task, `a task of the group: ${tasks.join(", ")}`);
  };
  for (const [i, service] of (services ?? []).entries()) {
    const at = `${path}[${i}]`;
    requirePort(service.PortLabel, `${at}.PortLabel`);
    requireTask(service.TaskName, `${at}.TaskName`);
    for (const [j, check] of (service.Checks ?? []).entries()) {
      requirePort(check.PortLabel, `${at}.Checks[${j}].PortLabel`);
      requireTask(check.TaskName, `${at}.Checks[${j}].TaskName`);
    }
  }
}

const known = {
  service: [
    "Name",
    "Namespace",
    "Provider",
    "PortLabel",
    "AddressMode",
    "Address",
    "Tags",
    "CanaryTags",
    "Meta",
    "CanaryMeta",
    "TaskName",
    "OnUpdate",
    "Checks",
  ],
  check: [
    "Name",
    "Type",
    "Command",
    "Args",
    "Path",
    "Protocol",
    "PortLabel",
    "AddressMode",
    "Interval",
    "Timeout",
    "InitialStatus",
    "TLSServerName",
    "TLSSkipVerify",
    "Method",
    "Header",
    "Body",
    "TaskName",
    "SuccessBeforePassing",
    "FailuresBeforeCritical",
    "FailuresBeforeWarning",
    "OnUpdate",
    "CheckRestart",
  ],
} as const;
