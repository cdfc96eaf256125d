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
  /** Null for batch jobs. */
  readonly Update: UpdateStrategy | null;
  readonly Migrate: MigrateStrategy | null;
  readonly ShutdownDelay: Duration | null;
  readonly MaxRunDuration: Duration | null;
  readonly [member: string]: unknown;
}

export interface Task {
  readonly Name: string;
  readonly Driver: string;
  readonly User: string;
  readonly Config: Readonly<Record<string, unknown>> | null;
  readonly Env: Readonly<Record<string, string>> | null;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Services: readonly Service[] | null;
  readonly Resources: Resources;
  readonly RestartPolicy: RestartPolicy;
  readonly LogConfig: LogConfig;
  readonly Lifecycle: TaskLifecycle | null;
  readonly Leader: boolean;
  readonly KillTimeout: Duration;
  readonly KillSignal: string;
  readonly ShutdownDelay: Duration;
  readonly Artifacts?: readonly Artifact[] | null;
  readonly Templates?: readonly Template[] | null;
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

export interface Service {
  readonly Name: string;
  readonly Provider: string;
  readonly PortLabel: string;
  readonly AddressMode: string;
  readonly Address: string;
  readonly Tags: readonly string[] | null;
  readonly [member: string]: unknown;
}
