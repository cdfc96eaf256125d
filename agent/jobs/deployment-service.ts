import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { AllocDeploymentStatus } from "../model/allocation.js";
import { type Deployment, isActive } from "../model/deployment.js";
import { healthyCanaries, promoted } from "../model/deployment-progress.js";
import { DEPLOYMENT_TEXT, runningText } from "../model/deployment-text.js";
import type { Job } from "../model/job.js";
import { rollBack } from "../model/rollback.js";
import type { Change, StateStore } from "../store/state-store.js";
import type { EvalRequests } from "./eval-requests.js";
import type { JobKey } from "./job-key.js";
import { nextVersion } from "./job-version.js";
import type { Scheduler } from "./scheduler.js";

export interface DeploymentServiceDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly requests: EvalRequests;
}

export interface DeploymentResult {
  /** Empty when nothing had to be evaluated. */
  readonly EvalID: string;
  readonly EvalCreateIndex: number;
  readonly DeploymentModifyIndex: number;
  readonly RevertedJobVersion: number | null;
  readonly Index: number;
}

/** What callers may decide about a deployment. Source of the texts: Nomad's deployment endpoint. */
export class DeploymentService {
  readonly #deps: DeploymentServiceDeps;

  constructor(deps: DeploymentServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Lets the rest of the groups follow their canaries.
   *
   * @param groups undefined: all that have some.
   * @throws AllocdError `not-found`, `conflict` when it is over, `invalid` when a group has too few healthy canaries.
   */
  async promote(id: string, groups?: readonly string[]): Promise<DeploymentResult> {
    return this.#change(id, "promote", async ({ deployment, key, job }) => {
      const { store, clock } = this.#deps;
      const open = Object.entries(deployment.TaskGroups).filter(([, state]) => state.DesiredCanaries > 0 && !state.Promoted);
      const unknown = groups?.find((name) => !Object.hasOwn(deployment.TaskGroups, name));
      if (unknown !== undefined)
        throw new AllocdError(
          "invalid",
          `Groups: got ${JSON.stringify(unknown)}, want groups of the deployment: ${Object.keys(deployment.TaskGroups).join(", ")}`,
        );
      const chosen = open.filter(([name]) => groups?.includes(name) ?? true);
      if (chosen.length === 0) throw new AllocdError("invalid", "no canaries to promote");
      const members = store.allocsOfJob(key.namespace, key.id).filter((a) => a.DeploymentID === id);
      for (const [name, state] of chosen) {
        const healthy = healthyCanaries(state, members).length;
        if (healthy < state.DesiredCanaries)
          throw new AllocdError(
            "invalid",
            `Task group ${JSON.stringify(name)} has ${healthy}/${state.DesiredCanaries} healthy allocations`,
          );
      }
      const now = clock.now();
      const TaskGroups = promoted(
        deployment.TaskGroups,
        chosen.map(([name]) => name),
        now,
      );
      const StatusDescription = deployment.Status === "paused" ? deployment.StatusDescription : runningText(TaskGroups);
      return this.#evaluated(key, job, { ...deployment, TaskGroups, StatusDescription, ModifyTime: now });
    });
  }

  /** Ends it as failed; its job goes back to the latest stable version if its update says so. */
  async fail(id: string): Promise<DeploymentResult> {
    return this.#change(id, "fail", async ({ deployment, key, job }) => {
      const { store, clock } = this.#deps;
      const now = clock.now();
      const failed: Deployment = { ...deployment, Status: "failed", StatusDescription: DEPLOYMENT_TEXT.failedByUser, ModifyTime: now };
      const { deployment: told, target } = rollBack(failed, job, store.jobVersions(key.namespace, key.id));
      return this.#evaluated(key, job, told, target ? [nextVersion(target, job, now)] : [], target?.Version ?? null);
    });
  }

  /** Holds it where it is, or lets it go on. */
  async pause(id: string, isPaused: boolean): Promise<DeploymentResult> {
    return this.#change(id, isPaused ? "pause" : "resume", async ({ deployment, key, job }) => {
      const { store, clock } = this.#deps;
      const now = clock.now();
      if (!isPaused) {
        return this.#evaluated(key, job, {
          ...deployment,
          Status: "running",
          StatusDescription: runningText(deployment.TaskGroups),
          ModifyTime: now,
        });
      }
      const paused: Deployment = { ...deployment, Status: "paused", StatusDescription: DEPLOYMENT_TEXT.paused, ModifyTime: now };
      const Index = await store.commit([{ kind: "deployment", deployment: paused }], { refusable: true });
      return { EvalID: "", EvalCreateIndex: 0, DeploymentModifyIndex: Index, RevertedJobVersion: null, Index };
    });
  }

  /**
   * Says how well allocations are, for updates whose health nobody else judges.
   *
   * @throws AllocdError `invalid` for an allocation that is none of the deployment's.
   */
  async setHealth(id: string, healthy: readonly string[], unhealthy: readonly string[]): Promise<DeploymentResult> {
    return this.#change(id, "set health of allocations for", async ({ deployment, key, job }) => {
      const { store, clock } = this.#deps;
      if (healthy.length + unhealthy.length === 0)
        throw new AllocdError("invalid", "must specify at least one healthy/unhealthy allocation ID");
      const Timestamp = clock.now();
      const judged = (allocId: string, Healthy: boolean): Change => {
        const alloc = store.alloc(allocId);
        if (alloc?.DeploymentID !== id)
          throw new AllocdError("invalid", `unknown alloc ${JSON.stringify(allocId)}: it is none of deployment ${id}`);
        const DeploymentStatus: AllocDeploymentStatus = {
          Healthy,
          Timestamp,
          Canary: alloc.DeploymentStatus?.Canary ?? false,
          ModifyIndex: 0,
        };
        return { kind: "alloc-observed", id: allocId, patch: { DeploymentStatus } };
      };
      const changes = [...healthy.map((allocId) => judged(allocId, true)), ...unhealthy.map((allocId) => judged(allocId, false))];
      return this.#evaluated(key, job, { ...deployment, ModifyTime: Timestamp }, changes);
    });
  }

  async #change(
    id: string,
    verb: string,
    work: (found: { readonly deployment: Deployment; readonly key: JobKey; readonly job: Job }) => Promise<DeploymentResult>,
  ): Promise<DeploymentResult> {
    const { store, scheduler } = this.#deps;
    const find = (): Deployment => {
      const deployment = store.deployment(id);
      if (!deployment) throw new AllocdError("not-found", "deployment not found");
      return deployment;
    };
    const first = find();
    const key = { namespace: first.Namespace, id: first.JobID };
    return scheduler.exclusive(key, async () => {
      const deployment = find();
      const job = store.job(key.namespace, key.id);
      if (!isActive(deployment) || !job) throw new AllocdError("conflict", `can't ${verb} terminal deployment`);
      return work({ deployment, key, job });
    });
  }

  async #evaluated(
    key: JobKey,
    job: Job,
    deployment: Deployment,
    changes: readonly Change[] = [],
    RevertedJobVersion: number | null = null,
  ): Promise<DeploymentResult> {
    const { EvalID, Index } = await this.#deps.requests.make(key, job, "deployment-watcher", [
      { kind: "deployment", deployment },
      ...changes,
    ]);
    return { EvalID, EvalCreateIndex: Index, DeploymentModifyIndex: Index, RevertedJobVersion, Index };
  }
}
