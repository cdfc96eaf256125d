import type { Driver } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Node } from "../model/node.js";
import type { StateStore } from "../store/state-store.js";
import { fingerprintNode, type NodeOptions, refreshDrivers } from "./fingerprint.js";

/** Source: reference behaviour §5.1, §6.1: drivers are looked at every 30 s. */
const refreshMs = 30_000;

export interface NodeRegistryDeps {
  readonly store: StateStore;
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: Omit<NodeOptions, "clock" | "httpAddr">;
}

/** Keeps the store's picture of this host up to date. */
export class NodeRegistry {
  readonly #deps: NodeRegistryDeps;
  readonly #ended = new AbortController();
  #node: Node | undefined;

  constructor(deps: NodeRegistryDeps) {
    this.#deps = deps;
  }

  /** This host as it was last looked at. @throws before `start` has resolved. */
  get node(): Node {
    if (!this.#node) throw new Error("the node was not looked at yet");
    return this.#node;
  }

  /** @param httpAddr `host:port` of the API. */
  async start(httpAddr: string): Promise<void> {
    const { options, clock, drivers } = this.#deps;
    await this.#put(await fingerprintNode({ ...options, clock, httpAddr }, drivers));
    void this.#keepFresh();
  }

  stop(): void {
    this.#ended.abort();
  }

  async #keepFresh(): Promise<void> {
    const { clock, drivers, log } = this.#deps;
    for (;;) {
      await clock.sleep(refreshMs, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      try {
        const fresh = await refreshDrivers(this.node, drivers);
        if (fresh !== this.#node) await this.#put(fresh);
      } catch (error) {
        log.error({ err: error }, "the node could not be looked at");
      }
    }
  }

  /** On a disk that takes nothing nobody waits for the store's picture: the agent starts, and says what is wrong. */
  async #put(node: Node): Promise<void> {
    const { store, clock, log } = this.#deps;
    this.#node = node;
    const written = new AbortController();
    const commit = store.commit([{ kind: "node", node }]).finally(() => written.abort());
    const refused = async (): Promise<void> => {
      while (store.degraded === null && !written.signal.aborted) await clock.sleep(50, written.signal);
    };
    await Promise.race([commit, refused()]);
    if (!written.signal.aborted) commit.catch((error: unknown) => log.warn({ err: error }, "the node's state was not stored"));
  }
}
