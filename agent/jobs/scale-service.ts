import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import { isSystem } from "../model/decision.js";
import { isActive } from "../model/deployment.js";
import { type ScalingEvent, scaled, withEvent } from "../model/scaling.js";
import type { Change, StateStore } from "../store/state-store.js";
import { refuseWhenClosed } from "./closed.js";
import type { EvalRequests, EvalResult } from "./eval-requests.js";
import type { JobKey } from "./job-key.js";
import { nextVersion } from "./job-version.js";
import type { Scheduler } from "./scheduler.js";

export interface ScaleServiceDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly requests: EvalRequests;
}

export interface ScaleRequest {
  readonly group: string;
  /** Null: only the event is kept. */
  readonly count: number | null;
  readonly message: string;
  readonly isError: boolean;
  readonly meta: Readonly<Record<string, unknown>> | null;
}

const BLOCKED = "job scaling blocked due to active deployment";

/** Changes how many there are of a group. */
export class ScaleService {
  readonly #deps: ScaleServiceDeps;

  constructor(deps: ScaleServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Sets the count of a group, and keeps who did it and why.
   *
   * @throws AllocdError `not-found`, `invalid`, or `conflict` while the job is being updated. Source of the texts: Nomad's job endpoint.
   */
  async scale(key: JobKey, request: ScaleRequest): Promise<EvalResult> {
    const { store, clock, scheduler, requests } = this.#deps;
    return scheduler.exclusive(key, async () => {
      refuseWhenClosed(store);
      const job = store.job(key.namespace, key.id);
      if (!job) throw new AllocdError("not-found", `job ${JSON.stringify(key.id)} not found`);
      if (isSystem(job)) throw new AllocdError("invalid", `cannot scale jobs of type ${JSON.stringify(job.Type)}`);
      const group = job.TaskGroups.find(({ Name }) => Name === request.group);
      if (!group)
        throw new AllocdError("invalid", `task group ${JSON.stringify(request.group)} specified for scaling does not exist in job`);
      const event: ScalingEvent = {
        Time: clock.now(),
        Count: request.count,
        PreviousCount: group.Count,
        Message: request.message,
        Error: request.isError,
        Meta: request.meta,
        EvalID: "",
        CreateIndex: 0,
      };
      if (request.count === null) {
        const Index = await this.#keep(key, group.Name, event);
        return { EvalID: "", EvalCreateIndex: 0, JobModifyIndex: job.JobModifyIndex, Index };
      }
      if (request.isError) throw new AllocdError("invalid", "scaling action should not contain count if error is true");
      const next = scaled(job, group, request.count);
      const isUpdating = store.deploymentsOfJob(key.namespace, key.id).some((d) => isActive(d) && d.JobCreateIndex === job.CreateIndex);
      if (isUpdating) {
        await this.#keep(key, group.Name, { ...event, Error: true, Message: BLOCKED });
        throw new AllocdError("conflict", BLOCKED);
      }
      const EvalID = randomUUID();
      const version = request.count === group.Count ? [] : [nextVersion(next, job, clock.now())];
      const kept = this.#events(key, group.Name, { ...event, EvalID });
      return requests.make(key, job, "job-scaling", [...version, kept], { id: EvalID });
    });
  }

  #keep(key: JobKey, group: string, event: ScalingEvent): Promise<number> {
    return this.#deps.store.commit([this.#events(key, group, event)], { refusable: true });
  }

  #events(key: JobKey, group: string, event: ScalingEvent): Change {
    const events = withEvent(this.#deps.store.scalingEvents(key.namespace, key.id), group, event);
    return { kind: "scaling-events", ...key, events };
  }
}
