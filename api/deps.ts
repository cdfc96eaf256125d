import type { IncomingMessage, Server, ServerOptions } from "node:http";
import type { Duplex } from "node:stream";
import type { Router } from "express";
import type { AclService } from "../agent/acl/acl-service.js";
import type { Clock } from "../agent/clock.js";
import type { Logger } from "../agent/log.js";
import type { Job } from "../agent/model/job.js";
import type { StateReader } from "../agent/store/state-store.js";
import type { Authority } from "./acl/authority.js";
import type { CallerOf } from "./acl/caller-of.js";
import type { Gate } from "./acl/peer-gate.js";
import type { AuditSink } from "./audit.js";
import type { ApiOptions } from "./options.js";
import type { StatsDeps } from "./routes/stats.js";

/** Everything that the API needs of the agent, and no more. */
export interface ApiDeps {
  readonly store: StateReader;
  readonly jobs: JobCommands;
  readonly allocs: AllocCommands;
  readonly agent: AgentInfo;
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
  stopAlloc(id: string, options: { readonly noShutdownDelay: boolean; readonly reschedule: boolean }): Promise<StopResult>;
  /** Takes a whole allocation from a control plane, as it was parsed. */
  putAllocation(id: string, input: unknown): Promise<Indexed>;
  deleteAllocation(id: string): Promise<Indexed>;
}

export interface RegisterOptions {
  /** Register only when the job's JobModifyIndex is this one; 0 is a job that does not exist yet. */
  readonly enforceIndex?: number;
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
}

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
