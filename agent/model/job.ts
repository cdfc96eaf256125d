import type { Artifact } from "./artifact.js";
import type { Template } from "./template.js";
import type { Duration, UnixNano } from "./units.js";

/*
 * A job in Nomad's words, after defaults were filled in (canonicalised).
 * Members that no code of ours reads yet are still kept and given back: hence the index signatures' `unknown`.
 */

export type JobType = "service" | "batch" | "system" | "sysbatch";

export interface Job {
  readonly ID: string;
  readonly Name: string;
  readonly Namespace: string;
  readonly Region: string;
  readonly Type: JobType;
  readonly Priority: number;
  readonly Datacenters: readonly string[];
  readonly NodePool: string;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Constraints?: readonly Constraint[] | null;
  readonly Affinities?: readonly Affinity[] | null;
  readonly Spreads?: readonly Spread[] | null;
  readonly TaskGroups: readonly TaskGroup[];
  readonly ParentID: string;
  /** Read with periodicOf, parameterizedOf and dispatchedWith. */
  readonly Periodic?: unknown;
  readonly ParameterizedJob?: unknown;
  readonly Dispatched?: unknown;
  /** What a dispatch carried, in base64. */
  readonly Payload?: unknown;
  readonly Stop: boolean;
  readonly Status: JobStatus;
  readonly StatusDescription: string;
  readonly Stable: boolean;
  readonly Version: number;
  readonly SubmitTime: UnixNano;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly JobModifyIndex: number;
  readonly [member: string]: unknown;
}

export type JobStatus = "pending" | "running" | "dead";

export interface TaskGroup {
  readonly Name: string;
  readonly Count: number;
  readonly Tasks: readonly Task[];
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly RestartPolicy: RestartPolicy;
  readonly ReschedulePolicy: ReschedulePolicy | null;
  readonly EphemeralDisk: EphemeralDisk;
  readonly Networks: readonly NetworkResource[] | null;
  readonly Services: readonly Service[] | null;
  /** By the name that the tasks' mounts use. */
  readonly Volumes?: Readonly<Record<string, VolumeRequest>> | null;
  /** Null for batch jobs. */
  readonly Update: UpdateStrategy | null;
  readonly Migrate: MigrateStrategy | null;
  readonly ShutdownDelay: Duration | null;
  readonly MaxRunDuration: Duration | null;
  readonly Constraints?: readonly Constraint[] | null;
  readonly Affinities?: readonly Affinity[] | null;
  readonly Spreads?: readonly Spread[] | null;
  readonly Scaling?: ScalingPolicy | null;
  readonly [member: string]: unknown;
}

export interface Task {
  readonly Artifacts?: readonly Artifact[] | null;
  readonly Templates?: readonly Template[] | null;
  readonly Name: string;
  readonly Driver: string;
  readonly User: string;
  readonly Config: Readonly<Record<string, unknown>> | null;
  readonly Env: Readonly<Record<string, string>> | null;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Services: readonly Service[] | null;
  readonly VolumeMounts?: readonly VolumeMount[] | null;
  readonly Resources: Resources;
  readonly RestartPolicy: RestartPolicy;
  readonly LogConfig: LogConfig;
  readonly Lifecycle: TaskLifecycle | null;
  readonly Leader: boolean;
  readonly KillTimeout: Duration;
  readonly KillSignal: string;
  readonly ShutdownDelay: Duration;
  readonly Constraints?: readonly Constraint[] | null;
  readonly Affinities?: readonly Affinity[] | null;
  readonly [member: string]: unknown;
}

export interface Constraint {
  /** What is looked at: `${attr.kernel.name}`, or a plain text. */
  readonly LTarget: string;
  readonly RTarget: string;
  readonly Operand: string;
}

export interface Affinity extends Constraint {
  /** -100 to 100, and not 0: below 0 is a dislike. */
  readonly Weight: number;
}

export interface Spread {
  readonly Attribute: string;
  /** 0 to 100. */
  readonly Weight: number;
  readonly SpreadTarget: readonly { readonly Value: string; readonly Percent: number }[] | null;
}

/** How far callers may scale a group. */
export interface ScalingPolicy {
  readonly Min: number;
  readonly Max: number;
  readonly Enabled: boolean;
  readonly [member: string]: unknown;
}

export interface VolumeRequest {
  readonly Name: string;
  readonly Type: "host";
  /** The host volume's name. */
  readonly Source: string;
  readonly ReadOnly: boolean;
  readonly [member: string]: unknown;
}

export interface VolumeMount {
  /** A volume of the group. */
  readonly Volume: string;
  /** Where the task finds it. */
  readonly Destination: string;
  readonly ReadOnly: boolean;
  readonly PropagationMode: "private" | "host-to-task" | "bidirectional";
  readonly [member: string]: unknown;
}

export interface TaskLifecycle {
  readonly Hook: "prestart" | "poststart" | "poststop";
  readonly Sidecar: boolean;
}

export interface RestartPolicy {
  readonly Attempts: number;
  readonly Interval: Duration;
  readonly Delay: Duration;
  readonly Mode: "fail" | "delay";
  readonly RenderTemplates: boolean;
}

export interface ReschedulePolicy {
  readonly Attempts: number;
  readonly Interval: Duration;
  readonly Delay: Duration;
  readonly DelayFunction: "constant" | "exponential" | "fibonacci";
  readonly MaxDelay: Duration;
  readonly Unlimited: boolean;
}

export interface UpdateStrategy {
  readonly Stagger: Duration;
  readonly MaxParallel: number;
  readonly HealthCheck: "checks" | "task_states" | "manual" | "";
  readonly MinHealthyTime: Duration;
  readonly HealthyDeadline: Duration;
  readonly ProgressDeadline: Duration;
  readonly AutoRevert: boolean;
  readonly AutoPromote: boolean;
  readonly Canary: number;
}

export interface MigrateStrategy {
  readonly MaxParallel: number;
  readonly HealthCheck: "checks" | "task_states";
  readonly MinHealthyTime: Duration;
  readonly HealthyDeadline: Duration;
}

export interface EphemeralDisk {
  readonly Sticky: boolean;
  readonly SizeMB: number;
  readonly Migrate: boolean;
}

export interface LogConfig {
  readonly MaxFiles: number;
  readonly MaxFileSizeMB: number;
  readonly Disabled: boolean;
}

export interface Resources {
  /** MHz. */
  readonly CPU: number;
  readonly Cores: number;
  /** MiB. */
  readonly MemoryMB: number;
  /** MiB; 0 is none, -1 no limit. */
  readonly MemoryMaxMB: number;
  readonly DiskMB: number;
  /** MiB of the secrets directory; 0 is the default. */
  readonly SecretsMB?: number;
  readonly Networks: readonly NetworkResource[] | null;
  readonly [member: string]: unknown;
}

export interface NetworkResource {
  readonly Mode: string;
  readonly Device: string;
  readonly CIDR: string;
  readonly IP: string;
  readonly MBits: number;
  readonly ReservedPorts: readonly Port[] | null;
  readonly DynamicPorts: readonly Port[] | null;
  readonly [member: string]: unknown;
}

export interface Port {
  readonly Label: string;
  /** The host's port; 0 asks for a dynamic one. */
  readonly Value: number;
  /** The port inside the network namespace; 0 is the same as Value, -1 too. */
  readonly To: number;
  readonly HostNetwork: string;
  readonly IgnoreCollision?: boolean;
}

export type ServiceOnUpdate = "require_healthy" | "ignore_warnings" | "ignore";

export interface Service {
  readonly Name: string;
  readonly Provider: string;
  /** A port's label, or its number. */
  readonly PortLabel: string;
  readonly AddressMode: "auto" | "host" | "driver" | "alloc";
  readonly Address: string;
  readonly Tags: readonly string[] | null;
  /** Instead of `Tags` while the allocation is a canary. */
  readonly CanaryTags: readonly string[] | null;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly CanaryMeta: Readonly<Record<string, string>> | null;
  /** Of a group's service: the task that it is there with, and that its script checks run in. Of a task's: that task. */
  readonly TaskName: string;
  readonly OnUpdate: ServiceOnUpdate;
  readonly Checks: readonly ServiceCheck[] | null;
  readonly [member: string]: unknown;
}

export interface ServiceCheck {
  readonly Name: string;
  readonly Type: "http" | "tcp" | "script";
  readonly Command: string;
  readonly Args: readonly string[] | null;
  readonly Path: string;
  readonly Protocol: "" | "http" | "https";
  /** Empty: the service's. */
  readonly PortLabel: string;
  readonly AddressMode: "" | Service["AddressMode"];
  readonly Interval: Duration;
  readonly Timeout: Duration;
  readonly InitialStatus: "" | "passing" | "warning" | "critical";
  readonly TLSServerName: string;
  readonly TLSSkipVerify: boolean;
  readonly Method: string;
  readonly Header: Readonly<Record<string, readonly string[]>> | null;
  readonly Body: string;
  readonly TaskName: string;
  /** Results in a row until the status follows; 0 is the same as 1. */
  readonly SuccessBeforePassing: number;
  readonly FailuresBeforeCritical: number;
  /** 0 is no warning. */
  readonly FailuresBeforeWarning: number;
  readonly OnUpdate: ServiceOnUpdate;
  readonly CheckRestart: CheckRestart | null;
  readonly [member: string]: unknown;
}

export interface CheckRestart {
  /** Failures in a row until the restart; 0 never restarts. */
  readonly Limit: number;
  /** For so long after its start a task's failures do not count. */
  readonly Grace: Duration;
  readonly IgnoreWarnings: boolean;
}
