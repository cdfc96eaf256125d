import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import type { EvaluationTrigger } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import type { Change, StateStore } from "../store/state-store.js";
import { newEvaluation } from "./evaluations.js";
import type { JobKey } from "./job-key.js";
import type { Scheduler } from "./scheduler.js";

export interface EvalRequestsDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
}

export interface EvalResult {
  readonly EvalID: string;
  readonly EvalCreateIndex: number;
  readonly JobModifyIndex: number;
  readonly Index: number;
}

/** Evaluations that somebody asks for, together with the changes that they are about. */
export class EvalRequests {
  readonly #deps: EvalRequestsDeps;

  constructor(deps: EvalRequestsDeps) {
    this.#deps = deps;
  }

  /** Commits the changes with a new evaluation, and works on that, within `exclusive` of the job. */
  async make(
    key: JobKey,
    job: Pick<Job, "Namespace" | "ID" | "Priority" | "Type" | "JobModifyIndex">,
    trigger: EvaluationTrigger,
    changes: readonly Change[],
    options: { readonly noShutdownDelay?: boolean; readonly id?: string } = {},
  ): Promise<EvalResult> {
    const { store, clock, scheduler } = this.#deps;
    const EvalID = options.id ?? randomUUID();
    const evaluation = newEvaluation(EvalID, job, trigger, clock.now());
    const Index = await store.commit([...changes, { kind: "eval", eval: evaluation }], { refusable: true });
    const JobModifyIndex = store.job(key.namespace, key.id)?.JobModifyIndex ?? Index;
    await scheduler.evaluate(key, EvalID, options);
    return { EvalID, EvalCreateIndex: Index, JobModifyIndex, Index };
  }
}
