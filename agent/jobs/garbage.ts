import type { StateStore } from "../store/state-store.js";
import { type JobKey, keyText, recordsOf } from "./job-key.js";
import { garbageOf } from "./retention.js";
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
        const changes = garbageOf(recordsOf(store, key));
        if (changes.length > 0) await store.commit(changes, { refusable: true });
      });
    }
  }
}
