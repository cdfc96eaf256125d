import { FieldReader, readText } from "./field-reader.js";
import type { Service } from "./job.js";
import { SECOND } from "./units.js";

/** Whose service it is. */
export interface ServiceOwner {
  readonly namespace: string;
  readonly job: string;
  readonly group: string;
  /** Empty for a group's own service. */
  readonly task: string;
}

const emptyService = {
  CanaryMeta: null,
  CanaryTags: null,
  Cluster: "default",
  Connect: null,
  EnableTagOverride: false,
  Identity: null,
  Kind: "",
  Meta: null,
  TaggedAddresses: null,
  Weights: null,
};

const emptyCheck = {
  AddressMode: "",
  Args: null,
  Body: "",
  CheckRestart: null,
  Command: "",
  Expose: false,
  FailuresBeforeCritical: 0,
  FailuresBeforeWarning: 0,
  GRPCService: "",
  GRPCUseTLS: false,
  Header: null,
  InitialStatus: "",
  Method: "",
  Notes: "",
  Path: "",
  PortLabel: "",
  Protocol: "",
  SuccessBeforePassing: 0,
  TLSServerName: "",
  TLSSkipVerify: false,
};

const onUpdate = ["require_healthy", "ignore_warnings", "ignore"] as const;

/** Source of the defaults: the reference's samples. */
export const serviceReader =
  (owner: ServiceOwner) =>
  (value: unknown, path: string): Service => {
    const from = new FieldReader(value, path);
    const Name = from.text("Name") || [owner.job, owner.group, owner.task].filter(Boolean).join("-");
    const OnUpdate = from.oneOf("OnUpdate", onUpdate, "require_healthy");
    const Provider = from.oneOf("Provider", ["nomad", "consul"], "consul");
    return {
      ...from.passed(emptyService, known.service),
      Name,
      Namespace: from.text("Namespace") || (Provider === "nomad" ? owner.namespace : "default"),
      Provider,
      PortLabel: from.text("PortLabel"),
      AddressMode: from.oneOf("AddressMode", ["auto", "host", "driver", "alloc"], "auto"),
      Address: from.text("Address"),
      Tags: from.list("Tags", readText),
      TaskName: from.text("TaskName") || owner.task,
      OnUpdate,
      Checks: from.list("Checks", (check, at) => readCheck(check, at, { service: Name, onUpdate: OnUpdate, task: owner.task })),
    };
  };

interface CheckOwner {
  readonly service: string;
  readonly onUpdate: (typeof onUpdate)[number];
  readonly task: string;
}

function readCheck(value: unknown, path: string, { service, onUpdate: inherited, task }: CheckOwner): object {
  const from = new FieldReader(value, path);
  return {
    ...from.passed(emptyCheck, known.check),
    Name: from.text("Name") || `service: "${service}" check`,
    Type: from.oneOf("Type", ["http", "tcp", "grpc", "script"], "http"),
    Interval: from.duration("Interval", 10 * SECOND, SECOND),
    Timeout: from.duration("Timeout", 2 * SECOND, SECOND),
    OnUpdate: from.oneOf("OnUpdate", onUpdate, inherited),
    TaskName: from.text("TaskName") || task,
  };
}

const known = {
  service: ["Name", "Namespace", "Provider", "PortLabel", "AddressMode", "Address", "Tags", "TaskName", "OnUpdate", "Checks"],
  check: ["Name", "Type", "Interval", "Timeout", "OnUpdate", "TaskName"],
} as const;
