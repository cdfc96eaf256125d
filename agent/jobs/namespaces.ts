import { AllocdError } from "../errors.js";
import { ALL_NAMESPACES, DEFAULT_NAMESPACE, type Namespace } from "../model/namespace.js";
import type { StateStore } from "../store/state-store.js";

/** What callers may do with namespaces. Source of the texts: Nomad's Namespace endpoint. */
export class Namespaces {
  readonly #store: StateStore;
  readonly #max: number;

  /** @param max how many there may be. */
  constructor(store: StateStore, max: number) {
    this.#store = store;
    this.#max = max;
  }

  /**
   * Makes a namespace or replaces what is known of it.
   *
   * @throws AllocdError `conflict` for one too many.
   */
  async put(namespace: Namespace): Promise<{ readonly Index: number }> {
    if (!this.#store.namespace(namespace.Name) && this.#store.namespaces().length >= this.#max) {
      throw new AllocdError("conflict", `there are ${this.#max} namespaces, which is the limit`);
    }
    return { Index: await this.#store.commit([{ kind: "namespace", namespace }], { refusable: true }) };
  }

  /** @throws AllocdError `not-found`, `invalid` for the default one, `conflict` while it has jobs. */
  async delete(name: string): Promise<{ readonly Index: number }> {
    if (name === DEFAULT_NAMESPACE) throw new AllocdError("invalid", "default namespace can not be deleted");
    if (name === ALL_NAMESPACES || !this.#store.namespace(name)) throw new AllocdError("not-found", `namespace "${name}" not found`);
    return { Index: await this.#store.commit([{ kind: "namespace-delete", name }], { refusable: true }) };
  }
}
