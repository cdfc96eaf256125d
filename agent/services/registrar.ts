import type { Logger } from "../log.js";
import { sameJson } from "../model/same-json.js";
import type { NewRegistration } from "../model/service-registration.js";
import type { Change, StateStore } from "../store/state-store.js";

/** Keeps the registrations of one allocation as they should be. */
export class Registrar {
  readonly #store: StateStore;
  readonly #log: Logger;
  /** As they will be when all that was written is visible. */
  readonly #known: Map<string, NewRegistration>;

  constructor(deps: { readonly store: StateStore; readonly log: Logger; readonly allocId: string }) {
    this.#store = deps.store;
    this.#log = deps.log;
    const stored = deps.store.servicesOfAlloc(deps.allocId);
    this.#known = new Map(stored.map(({ CreateIndex, ModifyIndex, ...service }) => [service.ID, service]));
  }

  /**
   * Registers what is wanted, and takes back everything else. What somebody has deleted by hand in the meantime stays so.
   *
   * @returns resolves when whoever asks for services is told so. It does not reject.
   */
  async set(wanted: readonly NewRegistration[]): Promise<void> {
    const changes: Change[] = [];
    const ids = new Set(wanted.map(({ ID }) => ID));
    for (const service of [...this.#known.values()]) {
      if (ids.has(service.ID)) continue;
      this.#known.delete(service.ID);
      changes.push({ kind: "service-delete", service });
    }
    for (const service of wanted) {
      if (sameJson(service, this.#known.get(service.ID))) continue;
      this.#known.set(service.ID, service);
      changes.push({ kind: "service", service });
    }
    if (changes.length === 0) return;
    try {
      await this.#store.commit(changes);
    } catch (error) {
      this.#log.warn({ err: error }, "services could not be registered as they are");
    }
  }
}
