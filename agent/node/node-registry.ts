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
    const found = await fingerprintNode({ ...options, clock, httpAddr }, drivers);
    await this.#keep({ ...found, ...saidByOperators(this.#deps.store.node(), found.ID) });
    void this.#keepFresh();
  }

  stop(): void {
    this.#ended.abort("over");
  }

  async #keepFresh(): Promise<void> {
    const { clock, drivers, log } = this.#deps;
    for (;;) {
      await clock.sleep(refreshMs, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      try {
        const before = this.node;
        const fresh = await refreshDrivers(before, drivers);
        // An operator may have had their say meanwhile.
        if (fresh !== before) await this.#keep({ ...this.node, Drivers: fresh.Drivers, Attributes: fresh.Attributes });
      } catch (error) {
        log.error({ err: error }, "the node could not be looked at");
      }
    }
  }

  /**
   * Takes over what an operator says of the node.
   *
   * @returns the index of the change.
   */
  async change(part: Partial<OperatorsPart>): Promise<number> {
    return this.#put({ ...this.node, ...part });
  }

  #put(node: Node): Promise<number> {
    this.#node = node;
    return this.#deps.store.commit([{ kind: "node", node }]);
  }

  /** On a disk that takes nothing nobody waits for the store's picture: the agent starts, and says what is wrong. */
  async #keep(node: Node): Promise<void> {
    const { store, clock, log } = this.#deps;
    const written = new AbortController();
    const commit = this.#put(node).finally(() => written.abort("over"));
    const refused = async (): Promise<void> => {
      while (store.degraded === null && !written.signal.aborted) await clock.sleep(50, written.signal);
    };
    await Promise.race([commit, refused()]);
    if (!written.signal.aborted) commit.catch((error: unknown) => log.warn({ err: error }, "the node's state was not stored"));
  }
}

/** What no look at the host can find out. */
export type OperatorsPart = Pick<Node, "SchedulingEligibility" | "DrainStrategy" | "LastDrain">;

/** It outlives the agent. */
function saidByOperators(known: Node | undefined, id: string): Partial<OperatorsPart> {
  if (known?.ID !== id) return {};
  const { SchedulingEligibility, DrainStrategy, LastDrain } = known;
  return { SchedulingEligibility, DrainStrategy, LastDrain };
}
