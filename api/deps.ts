import type { IncomingMessage, Server, ServerOptions } from "node:http";
import type { Duplex } from "node:stream";
import type { Router } from "express";
import type { AclService } from "../agent/acl/acl-service.js";
import type { AgentHealth } from "../agent/agent-health.js";

import type { Clock } from "../agent/clock.js";
import type { Subscription } from "../agent/events/event-broker.js";
import type { EventFilter } from "../agent/events/event-filter.js";
import type { Logger } from "../agent/log.js";
import type { Job } from "../agent/model/job.js";
import type { Namespace } from "../agent/model/namespace.js";
import type { ServiceRegistration } from "../agent/model/service-registration.js";
import type { StateReader } from "../agent/store/state-store.js";
import type { Variables } from "../agent/vars/variables.js";
import type { Authority } from "./acl/authority.js";
import type { CallerOf } from "./acl/caller-of.js";
import type { Gate } from "./acl/peer-gate.js";
import type { AuditSink } from "./audit.js";
import type { DeploymentCommands, NodeCommands, SchedulingCommands } from "./commands.js";
import type { ApiOptions } from "./options.js";
import type { StatsDeps } from "./routes/stats.js";

/** Everything that the API needs of the agent, and no more. */
export interface ApiDeps {
  readonly store: StateReader;
  readonly jobs: JobCommands;
  readonly namespaces: NamespaceCommands;
  readonly specs: JobSpecs;
  readonly events: EventSource;
  readonly allocs: AllocCommands;
  readonly scheduling: SchedulingCommands;
  readonly deployments: DeploymentCommands;
  readonly nodes: NodeCommands;
  readonly services: ServiceCommands;
  readonly gc: GcCommands;
  readonly agent: AgentInfo;
  /** Without it only the store is asked. */
  readonly health?: AgentHealth;
  readonly stats: StatsDeps["stats"];
  /** Who callers are. Absent: whoever reaches the agent may do everything. */
  readonly authority?: Authority;
  /** Changes of access control; absent when it is off. */
  readonly acl?: AclService;
  /** Who is let in at all. Absent: everybody. */
  readonly gate?: Gate;
  /** Where changes are recorded. */
  readonly audit?: AuditSink;
  /** Makes the server that listens for TCP; plain HTTP if absent. */
  readonly makeServer?: ServerMaker;
  readonly variables: VariableCommands;
  readonly clock: Clock;
  readonly log: Logger;
  /** Requests that come before wait for it: the agent listens before it has taken up what an earlier one left. */
  readonly ready?: Promise<void>;
  /** Mounted at /v1/client/fs. */
  readonly fs?: (callerOf: CallerOf) => Router;
  /** Takes WebSocket upgrades of /v1/client/allocation/:id/exec. */
  readonly exec?: UpgradeHandler;
  readonly options?: Partial<ApiOptions>;
}

/** As http.createServer, for servers that speak TLS. */
export type ServerMaker = (options: ServerOptions) => Server;

/** Changes of what should run. All reject with AllocdError or InvalidField when the caller is mistaken. */
export interface JobCommands {
  register(job: Job, options: RegisterOptions): Promise<RegisterResult>;
  deregister(
    namespace: string,
    id: string,
    options: { readonly purge: boolean; readonly noShutdownDelay: boolean },
  ): Promise<DeregisterResult>;
  /** @param priorVersion the version that the job must have now. */
  revert(namespace: string, id: string, version: number, priorVersion?: number): Promise<RegisterResult>;
  setStable(namespace: string, id: string, version: number, stable: boolean): Promise<Indexed>;
  dispatch(namespace: string, id: string, request: DispatchRequest): Promise<DispatchResult>;
  forcePeriodic(namespace: string, id: string): Promise<LaunchResult>;
  collectGarbage(): Promise<void>;
  stopAlloc(id: string, options: { readonly noShutdownDelay: boolean; readonly reschedule: boolean }): Promise<StopResult>;
  /** Takes a whole allocation from a control plane, as it was parsed. */
  putAllocation(id: string, input: unknown): Promise<Indexed>;
  deleteAllocation(id: string): Promise<Indexed>;
}

export interface RegisterOptions {
  /** Register only when the job's JobModifyIndex is this one; 0 is a job that does not exist yet. */
  readonly enforceIndex?: number;
}

export interface DispatchRequest {
  readonly payload: Buffer;
  readonly meta: Readonly<Record<string, string>>;
  readonly idPrefix: string;
  /** Empty: none. */
  readonly idempotencyToken: string;
  /** Undefined: the parent's. */
  readonly priority: number | undefined;
}

export interface LaunchResult extends StopResult {
  readonly EvalCreateIndex: number;
}

export interface DispatchResult extends LaunchResult {
  readonly DispatchedJobID: string;
  readonly JobCreateIndex: number;
}

export interface EventSource {
  /** @throws AllocdError 429 when there are too many subscribers. */
  subscribe(filter: EventFilter, index: number, gone: AbortSignal): Subscription;
}

export interface NamespaceCommands {
  put(namespace: Namespace): Promise<Indexed>;
  delete(name: string): Promise<Indexed>;
}

/** Looks at what may become a job. */
export interface JobSpecs {
  validate(job: unknown): { readonly errors: readonly string[]; readonly warnings: string };
  /**
   * @param hcl a job specification, @param variables values of its variables, both in HCL.
   * @returns the job as the API takes it. Rejects with AllocdError or InvalidInput when the caller is mistaken.
   */
  parse(hcl: string, variables: string): Promise<unknown>;
}

export interface Indexed {
  readonly Index: number;
}

export interface StopResult extends Indexed {
  readonly EvalID: string;
}

export interface DeregisterResult extends StopResult {
  readonly EvalCreateIndex: number;
  readonly JobModifyIndex: number;
}

export interface RegisterResult extends DeregisterResult {
  readonly Warnings: string;
}

/** Orders to tasks that run. They reject with AllocdError or InvalidField when the caller is mistaken. */
export interface AllocCommands {
  restart(allocId: string, options: { readonly taskName?: string; readonly allTasks?: boolean }): Promise<void>;
  signal(allocId: string, signal: string, task?: string): Promise<void>;
  /** What the checks of its services have found, by their ids; null when there is nothing. */
  checks(allocId: string): Readonly<Record<string, object>> | null;
}

export interface GcCommands {
  /** Removes the directory of an allocation that has ended. Rejects with AllocdError when it can not. */
  collect(allocId: string): Promise<void>;
  /** Begins to remove those of all that have ended. */
  collectAll(): void;
}

export interface ServiceCommands {
  /** Takes an instance of a service out of the registry. @returns the index of the change. */
  deregister(service: ServiceRegistration): Promise<number>;
}

/** Variables. Writes reject with AllocdError or InvalidField when the caller is mistaken. */
export type VariableCommands = Pick<Variables, "read" | "list" | "write" | "delete" | "keys" | "rotate">;

export interface UpgradeHandler {
  /** The request has passed the guard. Whoever takes it owns the socket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** What the agent says of itself. */
export interface AgentInfo {
  readonly version: string;
  /** Absolute. */
  readonly dataDir: string;
}
