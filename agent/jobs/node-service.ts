import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import type { Allocation } from "../model/allocation.js";
import { drainStep } from "../model/drain.js";
import type { DrainStrategy, LastDrain, Node } from "../model/node.js";
import type { Duration } from "../model/units.js";
import type { StateStore } from "../store/state-store.js";

export interface NodeServiceDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: () => Node;
  /** Takes over what an operator says of the node, and resolves with the index. */
  readonly change: (part: Partial<Pick<Node, "SchedulingEligibility" | "DrainStrategy" | "LastDrain">>) => Promise<number>;
  readonly jobs: NodeJobs;
}

/** What happens to jobs when their node does. */
export interface NodeJobs {
  /** Has the allocations leave the node. */
  moveOff(allocs: readonly Allocation[]): Promise<void>;
  /** Looks at every job that is or may be on the node. */
  evaluateAll(): Promise<NodeEvals>;
}

export interface NodeEvals {
  readonly EvalIDs: readonly string[];
  readonly EvalCreateIndex: number;
}

export interface NodeResult extends NodeEvals {
  readonly NodeModifyIndex: number;
  readonly Index: number;
}

export interface DrainSpec {
  /** Nanoseconds; 0 is none, below 0 everything is stopped at once. */
  readonly deadline: Duration;
  readonly ignoreSystemJobs: boolean;
}

/** How long until a step that failed is tried again, in milliseconds. */
const retryMs = 1_000;

/** What operators may say of this node: whether it takes allocations, and that it is to be emptied. */
export class NodeService {
  readonly #deps: NodeServiceDeps;
  #unsubscribe = (): void => {};
  #timer = new AbortController();
  #isStopped = true;
  /** One step after the other: each looks at what the one before has left. */
  #steps: Promise<void> = Promise.resolve();
  #isAsked = false;

  constructor(deps: NodeServiceDeps) {
    this.#deps = deps;
  }

  /** Goes on with a drain that an earlier agent has left. */
  start(): void {
    this.#isStopped = false;
    this.#unsubscribe = this.#deps.store.watch.subscribe((changes) => {
      const matters = changes.some(
        (c) => c.kind === "node" || c.kind === "alloc-create" || (c.kind === "alloc-observed" && c.patch.ClientStatus),
      );
      if (matters) this.#ask();
    });
    this.#ask();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe();
    this.#timer.abort();
    await this.#steps;
  }

  /** Resolves when all that is to be done now is done. */
  async idle(): Promise<void> {
    await this.#steps;
  }

  /** @throws AllocdError `not-found` for another node, `conflict` while this one is drained. */
  async setEligibility(id: string, eligible: boolean): Promise<NodeResult> {
    const node = this.#own(id);
    if (eligible && node.DrainStrategy)
      throw new AllocdError("conflict", "can not set node's scheduling eligibility to eligible while it is draining");
    const SchedulingEligibility = eligible ? "eligible" : "ineligible";
    const Index = await this.#deps.change({ SchedulingEligibility });
    return { EvalIDs: [], EvalCreateIndex: 0, NodeModifyIndex: Index, Index };
  }

  /**
   * Begins to empty the node, or ends that.
   *
   * @param spec null: no drain any more.
   * @param options.markEligible with the end of a drain: the node takes allocations again.
   */
  async drain(
    id: string,
    spec: DrainSpec | null,
    options: { readonly markEligible: boolean; readonly meta: Readonly<Record<string, string>> | null },
  ): Promise<NodeResult> {
    const { clock, change } = this.#deps;
    const node = this.#own(id);
    const now = clock.now();
    const StartedAt = node.DrainStrategy?.StartedAt ?? now;
    const told = (Status: LastDrain["Status"]): LastDrain => ({ StartedAt, UpdatedAt: now, Status, AccessorID: "", Meta: options.meta });
    const result = (Index: number): NodeResult => ({ EvalIDs: [], EvalCreateIndex: 0, NodeModifyIndex: Index, Index });
    if (spec === null) {
      const wasDrained = node.DrainStrategy !== null;
      return result(
        await change({
          DrainStrategy: null,
          ...(wasDrained && { LastDrain: told("canceled") }),
          ...(options.markEligible && { SchedulingEligibility: "eligible" }),
        }),
      );
    }
    const DrainStrategy: DrainStrategy = {
      Deadline: spec.deadline,
      IgnoreSystemJobs: spec.ignoreSystemJobs,
      ForceDeadline: spec.deadline > 0 ? now + BigInt(spec.deadline) : null,
      StartedAt,
    };
    return result(await change({ DrainStrategy, SchedulingEligibility: "ineligible", LastDrain: told("draining") }));
  }

  /** Looks at every job of the node anew. */
  async evaluate(id: string): Promise<NodeResult> {
    const node = this.#own(id);
    const evals = await this.#deps.jobs.evaluateAll();
    return { ...evals, NodeModifyIndex: node.ModifyIndex, Index: evals.EvalCreateIndex };
  }

  #own(id: string): Node {
    const node = this.#deps.node();
    if (node.ID !== id) throw new AllocdError("not-found", "node not found");
    return { ...node, ModifyIndex: this.#deps.store.node()?.ModifyIndex ?? node.ModifyIndex };
  }

  /** Asks for one step, however often it is asked for before that begins. */
  #ask(): void {
    if (this.#isAsked || this.#isStopped) return;
    this.#isAsked = true;
    this.#steps = this.#steps.then(async () => {
      this.#isAsked = false;
      await this.#step().catch((err: unknown) => {
        this.#deps.log.error({ err }, "the drain could not go on; trying again");
        this.#askIn(retryMs);
      });
    });
  }

  async #step(): Promise<void> {
    const { store, clock, node, jobs, change, log } = this.#deps;
    const { DrainStrategy: strategy, LastDrain } = node();
    this.#timer.abort();
    if (!strategy || this.#isStopped) return;
    const { next, isDone } = drainStep(strategy, store.allocs(), clock.now());
    if (isDone) {
      log.info("the node is drained");
      await change({ DrainStrategy: null, LastDrain: LastDrain && { ...LastDrain, Status: "complete", UpdatedAt: clock.now() } });
      return;
    }
    if (next.length > 0) await jobs.moveOff(next);
    if (strategy.ForceDeadline !== null && strategy.ForceDeadline > clock.now())
      this.#askIn(Math.ceil(Number(strategy.ForceDeadline - clock.now()) / 1e6));
  }

  #askIn(ms: number): void {
    this.#timer.abort();
    const timer = new AbortController();
    this.#timer = timer;
    void this.#deps.clock.sleep(Math.max(1, ms), timer.signal).then(() => {
      if (!timer.signal.aborted) this.#ask();
    });
  }
}
