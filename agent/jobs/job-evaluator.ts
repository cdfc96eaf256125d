import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import { type Allocation, isClientTerminal, isDesiredTerminal } from "../model/allocation.js";
import { DESCRIPTION, isSystem } from "../model/decision.js";
import { drained } from "../model/drain.js";
import { parameterizedOf, periodicOf } from "../model/parent-job.js";
import type { Change, StateStore } from "../store/state-store.js";
import type { EvalRequests, EvalResult } from "./eval-requests.js";
import { type JobKey, keyText } from "./job-key.js";
import type { NodeEvals, NodeJobs } from "./node-service.js";
import type { Scheduler } from "./scheduler.js";

export interface JobEvaluatorDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly requests: EvalRequests;
}

/** Looks at jobs anew because somebody asks for it, or because their node changes. */
export class JobEvaluator implements NodeJobs {
  readonly #deps: JobEvaluatorDeps;

  constructor(deps: JobEvaluatorDeps) {
    this.#deps = deps;
  }

  /**
   * Looks at a job as if it were registered again.
   *
   * @param options.forceReschedule what has failed is placed again at once, whatever the policy says.
   * @throws AllocdError `not-found`, or `invalid` for a job that only others are made of. Source of the texts: Nomad's job endpoint.
   */
  async evaluate(key: JobKey, options: { readonly forceReschedule: boolean }): Promise<EvalResult> {
    const { store, scheduler, requests } = this.#deps;
    return scheduler.exclusive(key, async () => {
      const job = store.job(key.namespace, key.id);
      if (!job) throw new AllocdError("not-found", "job not found");
      if (periodicOf(job)) throw new AllocdError("invalid", "can't evaluate periodic job");
      if (parameterizedOf(job)) throw new AllocdError("invalid", "can't evaluate parameterized job");
      const failed = store
        .allocsOfJob(key.namespace, key.id)
        .filter((a) => a.ClientStatus === "failed" && !isDesiredTerminal(a) && !a.Ingested && a.Job.CreateIndex === job.CreateIndex);
      const forced = (options.forceReschedule ? failed : []).map(
        (a): Change => ({
          kind: "alloc-desired",
          id: a.ID,
          patch: { DesiredTransition: { ...a.DesiredTransition, ForceReschedule: true } },
        }),
      );
      return requests.make(key, job, "job-register", forced);
    });
  }

  async moveOff(allocs: readonly Allocation[]): Promise<void> {
    const { store, scheduler, requests } = this.#deps;
    await Promise.all(
      byJob(allocs).map(({ key, ids }) =>
        scheduler.exclusive(key, async () => {
          const leaving = ids.flatMap((id) => store.alloc(id) ?? []).filter((a) => !isClientTerminal(a) && !isDesiredTerminal(a));
          const [first] = leaving;
          if (!first) return;
          const changes = leaving.map((a): Change => {
            // Nobody here replaces what a control plane has handed in.
            const stop = a.Ingested ? ({ DesiredStatus: "stop", DesiredDescription: DESCRIPTION.migrating } as const) : {};
            return { kind: "alloc-desired", id: a.ID, patch: { DesiredTransition: drained(a), ...stop } };
          });
          await requests.make(key, { ...first.Job, Namespace: key.namespace, ID: key.id }, "node-drain", changes);
        }),
      ),
    );
  }

  async evaluateAll(): Promise<NodeEvals> {
    const { store, scheduler, requests } = this.#deps;
    const present = new Set(
      store
        .allocs()
        .filter((a) => !isClientTerminal(a))
        .map((a) => keyText({ namespace: a.Namespace, id: a.JobID })),
    );
    const jobs = store.jobs().filter((job) => isSystem(job) || present.has(keyText({ namespace: job.Namespace, id: job.ID })));
    const results = await Promise.all(
      jobs.map((job) => {
        const key = { namespace: job.Namespace, id: job.ID };
        return scheduler.exclusive(key, () => requests.make(key, store.job(key.namespace, key.id) ?? job, "node-update", []));
      }),
    );
    return { EvalIDs: results.map((r) => r.EvalID), EvalCreateIndex: Math.max(0, ...results.map((r) => r.EvalCreateIndex)) };
  }
}

function byJob(allocs: readonly Allocation[]): readonly { readonly key: JobKey; readonly ids: readonly string[] }[] {
  const groups = new Map<string, { key: JobKey; ids: string[] }>();
  for (const { ID, Namespace: namespace, JobID: id } of allocs) {
    const key = { namespace, id };
    const group = groups.get(keyText(key)) ?? { key, ids: [] };
    group.ids.push(ID);
    groups.set(keyText(key), group);
  }
  return [...groups.values()];
}
