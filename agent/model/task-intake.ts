import { readArtifact } from "./artifact-intake.js";
import { readAffinities, readConstraints } from "./constraint-intake.js";
import { FieldReader } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { LogConfig, Resources, RestartPolicy, Task, TaskLifecycle } from "./job.js";
import { readNetworks } from "./network-intake.js";
import { readDispatchPayload } from "./parent-intake.js";
import { readRestartPolicy } from "./policy-intake.js";
import { noResources } from "./resources.js";
import { type ServiceOwner, serviceReader } from "./service-intake.js";
import { parseSignal } from "./signals.js";
import { readTemplate } from "./template-intake.js";
import { SECOND } from "./units.js";
import { readVolumeMounts } from "./volume-intake.js";

const maxNameBytes = 128;

/** What every task has that says nothing about it. Source: the reference's samples. */
const empty = {
  Actions: null,
  Affinities: null,
  CSIPluginConfig: null,
  Constraints: null,
  Consul: null,
  Identities: null,
  Kind: "",
  ScalingPolicies: null,
  Schedule: null,
  Secrets: null,
  Vault: null,
};

const emptyIdentity = {
  Audience: ["nomadproject.io"],
  ChangeMode: "",
  ChangeSignal: "",
  Env: false,
  ExtraClaims: null,
  File: false,
  Filepath: "",
  Name: "default",
  ServiceName: "",
  TTL: 0,
};

const shapes = {
  lists: ["Actions", "Affinities", "Constraints", "Identities", "ScalingPolicies", "Secrets"],
  objects: ["CSIPluginConfig", "Consul", "Schedule", "Vault"],
};

/** What a task has of its group. */
export interface TaskScope extends Omit<ServiceOwner, "task"> {
  readonly restart: RestartPolicy;
}

export function readTask(value: unknown, path: string, { restart, ...group }: TaskScope): Task {
  const from = new FieldReader(value, path);
  from.shapes(shapes);
  const Name = readName(from);
  return {
    ...from.passed(empty, known),
    Name,
    Driver: from.needed("Driver"),
    User: from.text("User"),
    Config: readConfig(from),
    Identity: new FieldReader(from.raw("Identity") ?? {}, from.at("Identity")).passed(emptyIdentity, []),
    Env: from.texts("Env"),
    Meta: from.texts("Meta"),
    Constraints: readConstraints(from),
    Affinities: readAffinities(from),
    Services: from.list("Services", serviceReader({ ...group, task: Name })),
    VolumeMounts: readVolumeMounts(from),
    Resources: readResources(from.raw("Resources") ?? {}, from.at("Resources")),
    RestartPolicy: from.object("RestartPolicy", (policy, at) => readRestartPolicy(policy, at, restart)) ?? restart,
    LogConfig: readLogConfig(from.raw("LogConfig") ?? {}, from.at("LogConfig")),
    Lifecycle: from.object("Lifecycle", readLifecycle),
    Leader: from.flag("Leader"),
    DispatchPayload: from.object("DispatchPayload", readDispatchPayload),
    KillTimeout: from.duration("KillTimeout", 5 * SECOND),
    KillSignal: readSignal(from),
    ShutdownDelay: from.duration("ShutdownDelay", 0),
    Artifacts: from.list("Artifacts", readArtifact),
    Templates: from.list("Templates", readTemplate),
  };
}

/** The driver's own. Nomad makes no difference between an empty one and none. */
function readConfig(from: FieldReader): Task["Config"] {
  const config = from.object("Config", (value, at) => new FieldReader(value, at).others([]));
  return config && Object.keys(config).length > 0 ? config : null;
}

/** A task's name is a directory's, part of a log file's, and the key of its states. */
function readName(from: FieldReader): string {
  const name = from.needed("Name");
  const isTaken = name === "." || name === ".." || name === "alloc" || name in Object.prototype;
  if (isTaken || name.includes("/") || new TextEncoder().encode(name).length > maxNameBytes)
    throw from.invalid("Name", `a name of at most ${maxNameBytes} bytes without '/', and not "alloc"`);
  return name;
}

function readSignal(from: FieldReader): string {
  const signal = from.text("KillSignal");
  if (signal === "") return "";
  const name = parseSignal(signal);
  if (name === undefined) throw from.invalid("KillSignal", "the name of a signal, such as SIGTERM");
  return name;
}

export function readResources(value: unknown, path: string): Resources {
  const from = new FieldReader(value, path);
  const Cores = from.whole("Cores", 0);
  const MemoryMB = from.whole("MemoryMB", 300);
  const MemoryMaxMB = from.whole("MemoryMaxMB", 0, { min: -1 });
  if (MemoryMaxMB > 0 && MemoryMaxMB < MemoryMB)
    throw from.invalid("MemoryMaxMB", `MemoryMB (${MemoryMB}) or more, 0 for none or -1 for no limit`);
  return {
    ...from.passed(noResources, ["CPU", "Cores", "MemoryMB", "MemoryMaxMB", "DiskMB", "Networks"]),
    // With whole cores reserved, their MHz are what the task gets.
    CPU: from.whole("CPU", Cores > 0 ? 0 : 100),
    Cores,
    MemoryMB,
    MemoryMaxMB,
    DiskMB: from.whole("DiskMB", 0),
    Networks: readNetworks(from),
  };
}

function readLogConfig(value: unknown, path: string): LogConfig {
  const from = new FieldReader(value, path);
  return {
    ...from.others(["MaxFiles", "MaxFileSizeMB", "Disabled"]),
    MaxFiles: from.whole("MaxFiles", 10, { min: 1 }),
    MaxFileSizeMB: from.whole("MaxFileSizeMB", 10, { min: 1, max: 1 << 20 }),
    Disabled: from.flag("Disabled"),
  };
}

function readLifecycle(value: unknown, path: string): TaskLifecycle {
  const from = new FieldReader(value, path);
  const hook = from.text("Hook");
  if (hook !== "prestart" && hook !== "poststart" && hook !== "poststop")
    throw new InvalidField(from.at("Hook"), from.raw("Hook"), "one of prestart, poststart, poststop");
  const Sidecar = from.flag("Sidecar");
  if (hook === "poststop" && Sidecar) throw from.invalid("Sidecar", "false: a poststop task runs when all others have ended");
  return { Hook: hook, Sidecar };
}

const known = [
  "Name",
  "Driver",
  "User",
  "Config",
  "Identity",
  "Env",
  "Meta",
  "Services",
  "VolumeMounts",
  "Resources",
  "RestartPolicy",
  "LogConfig",
  "Lifecycle",
  "Leader",
  "DispatchPayload",
  "KillTimeout",
  "KillSignal",
  "ShutdownDelay",
  "Artifacts",
  "Templates",
];
