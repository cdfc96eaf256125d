import { AllocdError } from "../errors.js";
import type { Job } from "../model/job.js";
import type { StateStore } from "../store/state-store.js";
import type { Scheduler } from "./scheduler.js";

export interface JobVersionsDeps {
  readonly store: StateStore;
  readonly scheduler: Pick<Scheduler, "exclusive">;
}

/** What callers may do with the kept versions of a job. Source of the texts: Nomad's Job.Revert and Job.Stable. */
export class JobVersions {
  readonly #deps: JobVersionsDeps;

  constructor(deps: JobVersionsDeps) {
    this.#deps = deps;
  }

  /**
   * The earlier version that a revert registers anew, and the index that the job must still have then.
   *
   * @param prior the version that the job must have now, if any.
   * @throws AllocdError `not-found`, `invalid` for the current version, `conflict` when it is another one than `prior`.
   */
  toRevertTo(namespace: string, id: string, version: number, prior: number | undefined): { readonly job: Job; readonly index: number } {
    const { store } = this.#deps;
    const current = store.job(namespace, id);
    if (!current) throw new AllocdError("not-found", `job "${id}" not found`);
    if (version === current.Version) throw new AllocdError("invalid", "can't revert to current version");
    if (prior !== undefined && prior !== current.Version) {
      throw new AllocdError("conflict", `Current job has version ${current.Version}; enforcing version ${prior}`);
    }
    // A stopped version is what `job stop` made, and a revert is meant to run.
    return { job: { ...this.#version(namespace, id, version), Stop: false }, index: current.JobModifyIndex };
  }

  /**
   * Marks a version as one that an automatic revert may go back to, or takes that back.
   *
   * @throws AllocdError `not-found`.
   */
  setStable(namespace: string, id: string, version: number, stable: boolean): Promise<{ readonly Index: number }> {
    const { store, scheduler } = this.#deps;
    return scheduler.exclusive({ namespace, id }, async () => {
      this.#version(namespace, id, version);
      const Index = await store.commit([{ kind: "job-stable", namespace, id, version, stable }], { refusable: true });
      return { Index };
    });
  }

  #version(namespace: string, id: string, version: number): Job {
    const job = this.#deps.store.jobVersions(namespace, id).find(({ Version }) => Version === version);
    if (!job) throw new AllocdError("not-found", `job "${id}" in namespace "${namespace}" at version ${version} not found`);
    return job;
  }
}
