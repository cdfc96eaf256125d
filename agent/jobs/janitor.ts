import type { Change, StateStore } from "../store/state-store.js";
import { type JobKey, keyText, recordsOf } from "./job-key.js";
import type { KeyedQueue } from "./keyed-queue.js";
import { garbageOf, isForgotten, mayForget, type RetentionLimits, surplusAllocs } from "./retention.js";

/** Keeps what has ended within its limits. */
export class Janitor {
  readonly #store: StateStore;
  readonly #queue: KeyedQueue;
  readonly #limits: RetentionLimits;

  constructor(deps: { readonly store: StateStore; readonly queue: KeyedQueue; readonly limits: RetentionLimits }) {
    this.#store = deps.store;
    this.#queue = deps.queue;
    this.#limits = deps.limits;
  }

  /** Deletes what is over the limits. Rejects when the store refuses the write; the next sweep tries again. */
  async sweep(): Promise<void> {
    await this.#queue.run("retention", async () => {
      const surplus = surplusAllocs(this.#store.allocs(), (a) => this.#store.job(a.Namespace, a.JobID), this.#limits);
      const byJob = new Map<string, { key: JobKey; ids: string[] }>();
      for (const alloc of surplus) {
        const key = { namespace: alloc.Namespace, id: alloc.JobID };
        const group = byJob.get(keyText(key)) ?? { key, ids: [] };
        group.ids.push(alloc.ID);
        byJob.set(keyText(key), group);
      }
      await Promise.all([...byJob].map(([text, { key, ids }]) => this.#queue.run(text, () => this.#forget(key, ids))));
      await this.#forgetJobs();
    });
  }

  /** Jobs that were stopped before anything of them ran, and the like: no allocation takes them along. */
  async #forgetJobs(): Promise<void> {
    const over = this.#store.jobs().filter((job) => isForgotten(job, this.#store.allocsOfJob(job.Namespace, job.ID)));
    const surplus = over.slice(0, Math.max(0, over.length - this.#limits.maxDeadJobs));
    const keys = surplus.map(({ Namespace, ID }): JobKey => ({ namespace: Namespace, id: ID }));
    await Promise.all(
      keys.map((key) =>
        this.#queue.run(keyText(key), async () => {
          const records = recordsOf(this.#store, key);
          if (isForgotten(records.job, records.allocs)) await this.#store.commit(garbageOf(records), { refusable: true });
        }),
      ),
    );
  }

  /** With the job's own lock held: looks again, as the job may have been taken up in the meantime. */
  async #forget(key: JobKey, ids: readonly string[]): Promise<void> {
    const records = recordsOf(this.#store, key);
    const { job, allocs, evals, deployments } = records;
    const gone = new Set(allocs.filter((a) => ids.includes(a.ID) && mayForget(a, job)).map((a) => a.ID));
    if (!gone.size) return;
    const changes = [...gone].map((id): Change => ({ kind: "alloc-delete", id }));
    const left = allocs.filter((a) => !gone.has(a.ID));
    if (job && isForgotten(job, left)) {
      changes.push({ kind: "job-delete", namespace: key.namespace, id: key.id });
      changes.push(...evals.map((e): Change => ({ kind: "eval-delete", id: e.ID })));
      changes.push(...deployments.map((d): Change => ({ kind: "deployment-delete", id: d.ID })));
    }
    await this.#store.commit(changes, { refusable: true });
  }
}
