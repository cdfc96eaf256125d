import { defaultSchedulerConfig, type SchedulerConfig } from "../model/scheduler-config.js";
import type { StateStore } from "../store/state-store.js";

/** The scheduler's configuration, which an operator changes as a whole. */
export class SchedulerConfiguration {
  readonly #store: StateStore;
  /** One change after the other, so that each sees the index of the one before. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(store: StateStore) {
    this.#store = store;
  }

  /**
   * Replaces it.
   *
   * @param expectedIndex when given, only a configuration of this ModifyIndex is replaced.
   */
  put(config: SchedulerConfig, expectedIndex?: number): Promise<{ readonly updated: boolean; readonly index: number }> {
    const change = this.#changes.then(async () => {
      const known = this.#store.schedulerConfig() ?? defaultSchedulerConfig;
      if (expectedIndex !== undefined && expectedIndex !== known.ModifyIndex) return { updated: false, index: known.ModifyIndex };
      return { updated: true, index: await this.#store.commit([{ kind: "scheduler-config", config }], { refusable: true }) };
    });
    this.#changes = change.catch(() => undefined);
    return change;
  }
}
