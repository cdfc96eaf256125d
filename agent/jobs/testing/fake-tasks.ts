import { type Allocation, isClientTerminal } from "../../model/allocation.js";
import { awaited, Usage } from "../../model/fit.js";
import type { Node } from "../../model/node.js";
import type { Change } from "../../store/state-store.js";
import type { Host } from "./host.js";

type Observed = Change & { readonly kind: "alloc-observed" };

/** What alloc runners would report, without any tasks. */
export class FakeTasks {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Those that may start: an allocation waits for the end of what it replaces. */
  startable(): readonly Allocation[] {
    return this.#all().filter(
      (a) => a.ClientStatus === "pending" && a.DesiredStatus === "run" && awaited(a, (id) => this.#host.store.alloc(id)).length === 0,
    );
  }

  running(): readonly Allocation[] {
    return this.#all().filter((a) => a.ClientStatus === "running");
  }

  /** Those that nobody wants any more and that have not ended yet. */
  stopping(): readonly Allocation[] {
    return this.#all().filter((a) => a.DesiredStatus !== "run" && !isClientTerminal(a));
  }

  start(alloc: Allocation): Promise<number> {
    return this.#report({ kind: "alloc-observed", id: alloc.ID, patch: { ClientStatus: "running" } });
  }

  judge(alloc: Allocation, Healthy: boolean): Promise<number> {
    const Canary = alloc.DeploymentStatus?.Canary ?? false;
    const DeploymentStatus = { Healthy, Timestamp: this.#host.clock.now(), Canary, ModifyIndex: 0 };
    return this.#report({ kind: "alloc-observed", id: alloc.ID, patch: { DeploymentStatus } });
  }

  end(alloc: Allocation, ClientStatus: "complete" | "failed"): Promise<number> {
    const isJudged = ClientStatus === "failed" && alloc.DeploymentID !== "" && (alloc.DeploymentStatus?.Healthy ?? null) === null;
    const Canary = alloc.DeploymentStatus?.Canary ?? false;
    const unhealthy = { DeploymentStatus: { Healthy: false, Timestamp: null, Canary, ModifyIndex: 0 } };
    return this.#report({ kind: "alloc-observed", id: alloc.ID, patch: { ClientStatus, ...(isJudged && unhealthy) } });
  }

  /** Lets everything go well until nothing happens any more: batch jobs finish, all others become healthy. */
  async runToTheEnd(): Promise<void> {
    for (let index = -1; index !== this.#host.store.index; ) {
      index = this.#host.store.index;
      for (const alloc of this.stopping()) await this.end(alloc, "complete");
      for (const alloc of this.startable()) await this.start(alloc);
      await this.#host.settle();
      for (const alloc of this.running().filter((a) => a.DesiredStatus === "run")) {
        if (alloc.Job.Type === "batch" || alloc.Job.Type === "sysbatch") await this.end(alloc, "complete");
        else if ((alloc.DeploymentStatus?.Healthy ?? null) === null) await this.judge(alloc, true);
      }
      await this.#host.settle();
    }
  }

  #all(): readonly Allocation[] {
    return this.#host.store.allocs();
  }

  #report(change: Observed): Promise<number> {
    return this.#host.store.commit([change]);
  }
}

/** What must hold at every moment, whatever is asked for. @returns what does not. */
export function broken(allocs: readonly Allocation[], node: Node): readonly string[] {
  const usage = Usage.of(allocs);
  const running = allocs.filter((a) => a.ClientStatus === "running");
  const wanted = allocs.filter((a) => a.DesiredStatus === "run" && !isClientTerminal(a) && !a.DeploymentStatus?.Canary);
  const ports = (some: readonly Allocation[]): readonly number[] =>
    some.flatMap((a) => (a.AllocatedResources.Shared.Ports ?? []).map((p) => p.Value));
  return [
    ...(usage.cpu > node.Resources.CpuShares ? [`${usage.cpu} MHz are given out`] : []),
    ...(usage.memory > node.Resources.MemoryMB ? [`${usage.memory} MiB are given out`] : []),
    ...(usage.disk > node.Resources.DiskMB ? [`${usage.disk} MiB of disk are given out`] : []),
    ...twice(ports(running)).map((port) => `port ${port} is used twice`),
    ...twice(ports(wanted)).map((port) => `port ${port} is given out twice`),
    ...twice(wanted.map((a) => `${a.JobID} ${a.Name}`)).map((name) => `${name} is there twice`),
  ];
}

function twice<T>(items: readonly T[]): readonly T[] {
  const seen = new Set<T>();
  return items.filter((item) => seen.has(item) || !seen.add(item));
}
