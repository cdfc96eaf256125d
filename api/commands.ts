import type { DeploymentResult } from "../agent/jobs/deployment-service.js";
import type { EvalResult } from "../agent/jobs/eval-requests.js";
import type { JobKey } from "../agent/jobs/job-key.js";
import type { DrainSpec, NodeResult } from "../agent/jobs/node-service.js";
import type { JobPlan } from "../agent/jobs/rehearsal.js";
import type { ScaleRequest } from "../agent/jobs/scale-service.js";
import type { Job } from "../agent/model/job.js";
import type { SchedulerConfig } from "../agent/model/scheduler-config.js";

/** What callers may decide about deployments. */
export interface DeploymentCommands {
  promote(id: string, groups?: readonly string[]): Promise<DeploymentResult>;
  fail(id: string): Promise<DeploymentResult>;
  pause(id: string, isPaused: boolean): Promise<DeploymentResult>;
  setHealth(id: string, healthy: readonly string[], unhealthy: readonly string[]): Promise<DeploymentResult>;
}

/** What callers may ask of the scheduler for one job. */
export interface SchedulingCommands {
  plan(job: Job, options: { readonly diff: boolean }): JobPlan;
  scale(key: JobKey, request: ScaleRequest): Promise<EvalResult>;
  evaluate(key: JobKey, options: { readonly forceReschedule: boolean }): Promise<EvalResult>;
  configure(config: SchedulerConfig, expectedIndex?: number): Promise<{ readonly updated: boolean; readonly index: number }>;
}

/** What operators may say of this node. */
export interface NodeCommands {
  setEligibility(id: string, eligible: boolean): Promise<NodeResult>;
  drain(
    id: string,
    spec: DrainSpec | null,
    options: { readonly markEligible: boolean; readonly meta: Readonly<Record<string, string>> | null },
  ): Promise<NodeResult>;
  evaluate(id: string): Promise<NodeResult>;
}
