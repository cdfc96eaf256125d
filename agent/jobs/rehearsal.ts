import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import { sameSpec } from "../model/job-diff.js";
import { formatRfc3339 } from "../model/rfc3339.js";
import { diffJobs, type JobDiff } from "../model/spec-diff.js";
import { annotateDiff, type UpdatesByGroup } from "../model/spec-diff-annotate.js";
import { SECOND } from "../model/units.js";
import type { StateStore } from "../store/state-store.js";
import { newEvaluation } from "./evaluations.js";
import { nextVersion } from "./job-version.js";
import { jobWarnings } from "./job-warnings.js";
import type { Scheduler } from "./scheduler.js";

export interface RehearsalDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Unix seconds; undefined for a job that is not periodic. */
  nextLaunch(job: Job): number | undefined;
}

/** What registering a job would come to. Source: reference sample of POST /v1/job/:id/plan. */
export interface JobPlan {
  readonly Annotations: unknown;
  readonly CreatedEvals: readonly Evaluation[] | null;
  readonly Diff: JobDiff | null;
  readonly FailedTGAllocs: Evaluation["FailedTGAllocs"];
  readonly Index: number;
  /** For a registration that enforces that nothing has changed in the meantime. */
  readonly JobModifyIndex: number;
  /** RFC 3339; null for a job that is not periodic. */
  readonly NextPeriodicLaunch: string | null;
  readonly Warnings: string;
}

/** Plays registrations through without changing anything. */
export class Rehearsal {
  readonly #deps: RehearsalDeps;

  constructor(deps: RehearsalDeps) {
    this.#deps = deps;
  }

  plan(job: Job, { diff }: { readonly diff: boolean }): JobPlan {
    const { store, clock, scheduler } = this.#deps;
    const key = { namespace: job.Namespace, id: job.ID };
    const known = store.job(key.namespace, key.id);
    const next = known && sameSpec(known, job) ? known : this.#stamped(nextVersion(job, known, clock.now()).job, known);
    const cause = newEvaluation(randomUUID(), next, "job-register", clock.now());
    const { changes, evaluation } = scheduler.rehearse(key, next, cause);
    const created = changes.flatMap((c) => (c.kind === "eval" && c.eval.ID !== cause.ID && !store.eval(c.eval.ID) ? [c.eval] : []));
    const launch = this.#deps.nextLaunch(next);
    const annotations = evaluation?.PlanAnnotations as { readonly DesiredTGUpdates: UpdatesByGroup } | undefined;
    return {
      Annotations: annotations ?? null,
      CreatedEvals: created.length > 0 ? created : null,
      Diff: diff ? annotateDiff(diffJobs(known ?? null, next), annotations?.DesiredTGUpdates ?? {}) : null,
      FailedTGAllocs: evaluation?.FailedTGAllocs ?? null,
      Index: known?.JobModifyIndex ?? 0,
      JobModifyIndex: known?.JobModifyIndex ?? 0,
      NextPeriodicLaunch: launch === undefined ? null : formatRfc3339(BigInt(launch) * BigInt(SECOND)),
      Warnings: jobWarnings(job),
    };
  }

  /** As the store would stamp it. */
  #stamped(job: Job, known: Job | undefined): Job {
    const index = this.#deps.store.index + 1;
    return { ...job, CreateIndex: known?.CreateIndex ?? index, ModifyIndex: index, JobModifyIndex: index };
  }
}
