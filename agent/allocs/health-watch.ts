import type { Clock } from "../clock.js";
import { type CheckSummary, type HealthPolicy, healthPolicy, judgeHealth, type Probe } from "../model/alloc-health.js";
import type { Allocation, AllocDeploymentStatus } from "../model/allocation.js";
import type { TaskGroup } from "../model/job.js";
import type { States } from "../model/lifecycle.js";
import { allocUnhealthy } from "../model/task-events.js";
import type { TaskEvent } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";

export interface HealthWatchDeps {
  readonly clock: Clock;
  readonly states: () => States;
  /** What the tasks' own health checks say, by task. */
  readonly probes: () => ReadonlyMap<string, Probe>;
  /** Whether the allocation failed as a whole. */
  readonly failed: () => boolean;
  readonly checks: () => CheckSummary | null;
  readonly report: (status: AllocDeploymentStatus | null) => void;
  readonly emit: (task: string, event: (at: UnixNano) => TaskEvent) => void;
}

/** Decides once for each deployment whether an allocation is healthy. Source: reference behaviour §4.12. */
export class HealthWatch {
  readonly #deps: HealthWatchDeps;
  #alloc: Allocation;
  #group: TaskGroup;
  #policy: HealthPolicy | null;
  #since: UnixNano;
  #isDecided: boolean;
  #isStopped = false;
  #timer = new AbortController();
  #timerAt: UnixNano | null = null;

  constructor(deps: HealthWatchDeps, alloc: Allocation, group: TaskGroup) {
    this.#deps = deps;
    this.#alloc = alloc;
    this.#group = group;
    this.#policy = healthPolicy(alloc, group);
    this.#since = deps.clock.now();
    this.#isDecided = (alloc.DeploymentStatus?.Healthy ?? null) !== null;
  }

  /** The allocation is wanted otherwise: a new deployment judges it anew. */
  update(alloc: Allocation, group: TaskGroup): void {
    const isSame = alloc.DeploymentID === this.#alloc.DeploymentID;
    this.#alloc = alloc;
    this.#group = group;
    if (isSame || this.#isStopped) return;
    this.#policy = healthPolicy(alloc, group);
    this.#since = this.#deps.clock.now();
    this.#isDecided = false;
    this.#deps.report(null);
    this.look();
  }

  /** Looks at the states as they are now. */
  look(): void {
    if (this.#isDecided) return;
    const { clock, states, probes, failed } = this.#deps;
    const isFailed = failed();
    if (!this.#policy) {
      // Nobody watches, but a deployment must not wait for one that will never be healthy.
      if (isFailed && this.#alloc.DeploymentID) this.#decide(false, null);
      return;
    }
    const verdict = judgeHealth({
      policy: this.#policy,
      tasks: this.#group.Tasks,
      states: states(),
      failed: isFailed,
      checks: this.#deps.checks(),
      probes: probes(),
      since: this.#since,
      now: clock.now(),
    });
    if (verdict.verdict === "undecided") {
      this.#lookAgain(verdict.lookAgainAt);
      return;
    }
    if (verdict.verdict === "unhealthy" && this.#alloc.DeploymentID) {
      for (const [task, message] of verdict.messages) this.#deps.emit(task, (at) => allocUnhealthy(at, message));
    }
    this.#decide(verdict.verdict === "healthy", clock.now());
  }

  /** Nobody asks any more. */
  stop(): void {
    this.#isStopped = true;
    this.#isDecided = true;
    this.#timer.abort("over");
  }

  #decide(Healthy: boolean, Timestamp: UnixNano | null): void {
    this.#isDecided = true;
    this.#timer.abort("over");
    // The store stamps the index.
    this.#deps.report({ Healthy, Timestamp, Canary: this.#alloc.DeploymentStatus?.Canary ?? false, ModifyIndex: 0 });
  }

  #lookAgain(at: UnixNano): void {
    if (at === this.#timerAt) return;
    this.#timer.abort("over");
    const timer = new AbortController();
    this.#timer = timer;
    this.#timerAt = at;
    const ms = Math.ceil(Number(at - this.#deps.clock.now()) / 1e6);
    void this.#deps.clock.sleep(ms, timer.signal).then(() => {
      if (timer.signal.aborted) return;
      this.#timerAt = null;
      this.look();
    });
  }
}
