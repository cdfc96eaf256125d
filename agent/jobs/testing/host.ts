import { setImmediate } from "node:timers/promises";
import { pino } from "pino";
import type { Allocation, ClientStatus } from "../../model/allocation.js";
import type { Evaluation } from "../../model/evaluation.js";
import type { Job } from "../../model/job.js";
import type { Node } from "../../model/node.js";
import { FailingStore } from "../../store/failing-store.js";
import type { ObservedPatch } from "../../store/state-store.js";
import { JobService, type JobServiceDeps } from "../job-service.js";
import { NodeService } from "../node-service.js";
import { aNode } from "./fixtures.js";
import { HandClock } from "./hand-clock.js";

/** A host whose tasks do what a test says: a JobService on a store in memory. */
export class Host {
  readonly clock = new HandClock();
  readonly store: FailingStore;
  readonly #options: NonNullable<JobServiceDeps["options"]>;
  #node: Node;
  jobs: JobService;
  nodes: NodeService;

  constructor(node: Node = aNode(), options: NonNullable<JobServiceDeps["options"]> = {}) {
    this.#node = node;
    this.#options = options;
    this.store = new FailingStore({ clock: this.clock, log: pino({ level: "silent" }) });
    this.jobs = this.#service();
    this.nodes = this.#nodeService();
  }

  static async started(node?: Node, options?: NonNullable<JobServiceDeps["options"]>): Promise<Host> {
    const host = new Host(node, options);
    await host.jobs.start();
    host.nodes.start();
    return host;
  }

  /** Another agent on the same store. */
  async restart(whileDown: () => Promise<void> = async () => {}): Promise<void> {
    await this.nodes.stop();
    await this.jobs.stop();
    await whileDown();
    this.jobs = this.#service();
    this.nodes = this.#nodeService();
    await this.jobs.start();
    this.nodes.start();
    await this.settle();
  }

  async close(): Promise<void> {
    await this.nodes.stop();
    await this.jobs.stop();
    await this.store.close();
  }

  /** Lets everything happen that waits for no time. */
  async settle(): Promise<void> {
    for (let quiet = 0, index = -1; quiet < 3; quiet = this.store.index === index ? quiet + 1 : 0) {
      index = this.store.index;
      await setImmediate();
      await this.jobs.idle();
      await this.nodes.idle();
    }
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  async register(job: Job) {
    const result = await this.jobs.register(job);
    await this.settle();
    return result;
  }

  allocs(jobId = "job"): readonly Allocation[] {
    return this.store.allocsOfJob("default", jobId);
  }

  /** Those that should run and have not ended. */
  live(jobId = "job"): readonly Allocation[] {
    return this.allocs(jobId).filter((a) => a.DesiredStatus === "run" && (a.ClientStatus === "pending" || a.ClientStatus === "running"));
  }

  only(jobId = "job"): Allocation {
    const [alloc, ...others] = this.live(jobId);
    if (!alloc || others.length) throw new Error(`${jobId} has ${others.length + (alloc ? 1 : 0)} live allocations, want 1`);
    return alloc;
  }

  job(id = "job"): Job {
    const job = this.store.job("default", id);
    if (!job) throw new Error(`there is no job ${id}`);
    return job;
  }

  evals(jobId = "job"): readonly Evaluation[] {
    return this.store.evalsOfJob("default", jobId);
  }

  alloc(id: string): Allocation {
    const alloc = this.store.alloc(id);
    if (!alloc) throw new Error(`there is no allocation ${id}`);
    return alloc;
  }

  /** What the alloc runner reports. */
  async report(alloc: Pick<Allocation, "ID">, ClientStatus: ClientStatus, more: ObservedPatch = {}): Promise<void> {
    await this.store.commit([{ kind: "alloc-observed", id: alloc.ID, patch: { ClientStatus, ...more } }]);
    await this.settle();
  }

  async healthy(alloc: Pick<Allocation, "ID">, Healthy = true): Promise<void> {
    const Canary = this.store.alloc(alloc.ID)?.DeploymentStatus?.Canary ?? false;
    await this.report(alloc, "running", { DeploymentStatus: { Healthy, Timestamp: this.clock.now(), Canary, ModifyIndex: 0 } });
  }

  /** Everything that should stop has stopped. */
  async stopped(): Promise<void> {
    for (const a of this.store.allocs()) {
      if (a.DesiredStatus !== "run" && (a.ClientStatus === "pending" || a.ClientStatus === "running")) await this.report(a, "complete");
    }
  }

  get node(): Node {
    return this.#node;
  }

  async setNode(node: Node): Promise<void> {
    this.#node = node;
    await this.store.commit([{ kind: "node", node }]);
    await this.settle();
  }

  #nodeService(): NodeService {
    const change = async (part: Partial<Node>): Promise<number> => {
      this.#node = { ...this.#node, ...part };
      return this.store.commit([{ kind: "node", node: this.#node }]);
    };
    const { store, clock } = this;
    return new NodeService({ store, clock, log: pino({ level: "silent" }), node: () => this.#node, change, jobs: this.jobs.evaluator });
  }

  #service(): JobService {
    return new JobService({
      store: this.store,
      clock: this.clock,
      log: pino({ level: "silent" }),
      node: () => this.#node,
      options: this.#options,
    });
  }
}
