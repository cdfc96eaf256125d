import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Router } from "express";
import type { AgentHealth } from "../agent/agent-health.js";
import type { Clock } from "../agent/clock.js";
import type { Logger } from "../agent/log.js";
import type { Job } from "../agent/model/job.js";
import type { StateReader } from "../agent/store/state-store.js";
import type { ApiOptions } from "./options.js";
import type { StatsDeps } from "./routes/stats.js";

/** Everything that the API needs of the agent, and no more. */
export interface ApiDeps {
  readonly store: StateReader;
  readonly jobs: JobCommands;
  readonly allocs: AllocCommands;
  readonly agent: AgentInfo;
  /** Without it only the store is asked. */
  readonly health?: AgentHealth;
  readonly stats: StatsDeps["stats"];
  readonly clock: Clock;
  readonly log: Logger;
  /** Requests that come before wait for it: the agent listens before it has taken up what an earlier one left. */
  readonly ready?: Promise<void>;
  /** Mounted at /v1/client/fs. */
  readonly fs?: Router;
  /** Takes WebSocket upgrades of /v1/client/allocation/:id/exec. */
  readonly exec?: UpgradeHandler;
  readonly options?: Partial<ApiOptions>;
}

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
