import { isClientTerminal } from "../model/allocation.js";
import { isOpen } from "../model/job-status.js";
import { isParent } from "../model/parent-job.js";
import type { Change, StateStore } from "../store/state-store.js";
import { type JobKey, keyText, recordsOf } from "./job-key.js";
import { type JobRecords, mayForget } from "./retention.js";
import type { Scheduler } from "./scheduler.js";

export interface GarbageDeps {
  readonly store: StateStore;
  readonly scheduler: Pick<Scheduler, "exclusive">;
}

/** Removes at once what nothing depends on any more, however new it is. Source: Nomad's forced core jobs. */
export class Garbage {
  readonly #deps: GarbageDeps;

  constructor(deps: GarbageDeps) {
    this.#deps = deps;
  }

  /** Rejects when the store refuses the write; what was removed before stays removed. */
  async collect(): Promise<void> {
    const { store, scheduler } = this.#deps;
    const keys = new Map<string, JobKey>();
    const add = (namespace: string, id: string): unknown => keys.set(keyText({ namespace, id }), { namespace, id });
    for (const job of store.jobs()) add(job.Namespace, job.ID);
    for (const { Namespace, JobID } of [...store.allocs(), ...store.evals()]) add(Namespace, JobID);
    for (const key of keys.values()) {
      await scheduler.exclusive(key, async () => {
        const changes = garbageOf(recordsOf(store, key), key);
        if (changes.length > 0) await store.commit(changes, { refusable: true });
      });
    }
  }
}

/** What may go of one job's records: all of them once it is over and no task is left, else what has ended. */
export function garbageOf({ job, allocs, evals, deployments }: JobRecords, { namespace, id }: JobKey): readonly Change[] {
  const ended = allocs.filter((alloc) => isClientTerminal(alloc) && mayForget(alloc, job));
  const isAllGone = ended.length === allocs.length && !evals.some(isOpen);
  const isOver = isAllGone && job?.Status === "dead" && (job.Stop || (!isParent(job) && isBatch(job.Type)));
  const left = new Set(allocs.filter((alloc) => !ended.includes(alloc)).map(({ EvalID }) => EvalID));
  const mayGo = (over: boolean): boolean => over || isOver || job === undefined;
  return [
    ...ended.map((alloc): Change => ({ kind: "alloc-delete", id: alloc.ID })),
    ...(isOver ? [{ kind: "job-delete", namespace, id } satisfies Change] : []),
    ...evals.filter((e) => !isOpen(e) && mayGo(!left.has(e.ID))).map((e): Change => ({ kind: "eval-delete", id: e.ID })),
    ...deployments
      .filter((d) => mayGo(d.Status !== "running" && d.Status !== "paused" && d.JobVersion !== job?.Version))
      .map((d): Change => ({ kind: "deployment-delete", id: d.ID })),
  ];
}

const isBatch = (type: string): boolean => type === "batch" || type === "sysbatch";
