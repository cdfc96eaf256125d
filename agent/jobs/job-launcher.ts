import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import type { EvaluationTrigger } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import { isParent } from "../model/parent-job.js";
import type { Change, StateStore } from "../store/state-store.js";
import { newEvaluation } from "./evaluations.js";
import { nextVersion } from "./job-version.js";
import type { Scheduler } from "./scheduler.js";

export interface JobLauncherDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly scheduler: Pick<Scheduler, "exclusive" | "evaluate">;
}

export interface Launch {
  readonly EvalID: string;
  readonly EvalCreateIndex: number;
  readonly JobCreateIndex: number;
  readonly Index: number;
}

/** Registers the jobs that periodic and parameterized ones launch. */
export class JobLauncher {
  readonly #deps: JobLauncherDeps;

  constructor(deps: JobLauncherDeps) {
    this.#deps = deps;
  }

  /**
   * Registers a child, and places what fits before it resolves. One that is a parent itself is not evaluated.
   *
   * @param more what is committed together with the child.
   */
  launch(child: Job, trigger: EvaluationTrigger, more: readonly Change[] = []): Promise<Launch> {
    const { store, clock, scheduler } = this.#deps;
    const key = { namespace: child.Namespace, id: child.ID };
    return scheduler.exclusive(key, async () => {
      const registered = nextVersion(child, undefined, clock.now());
      if (isParent(child)) {
        const Index = await store.commit([registered, ...more], { refusable: true });
        return { EvalID: "", EvalCreateIndex: 0, JobCreateIndex: Index, Index };
      }
      const EvalID = randomUUID();
      const evaluation = newEvaluation(EvalID, { ...child, JobModifyIndex: 0 }, trigger, clock.now());
      const Index = await store.commit([registered, { kind: "eval", eval: evaluation }, ...more], { refusable: true });
      await scheduler.evaluate(key, EvalID);
      return { EvalID, EvalCreateIndex: Index, JobCreateIndex: Index, Index };
    });
  }
}
