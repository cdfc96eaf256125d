import type { Probe } from "../model/alloc-health.js";
import { killPhases, type LifecycleTask, type States } from "../model/lifecycle.js";
import { unknownTask } from "./task-errors.js";
import type { TaskRunner } from "./task-runner.js";

/** The task runners of one allocation. */
export class TaskSet {
  readonly #byName: ReadonlyMap<string, TaskRunner>;

  constructor(runners: readonly TaskRunner[]) {
    this.#byName = new Map(runners.map((runner) => [runner.name, runner]));
  }

  get all(): readonly TaskRunner[] {
    return [...this.#byName.values()];
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  get running(): readonly TaskRunner[] {
    return this.all.filter((task) => task.isRunning);
  }

  get areDead(): boolean {
    return this.all.every((task) => task.state.State === "dead");
  }

  get states(): States {
    return new Map(this.all.map((task) => [task.name, task.state]));
  }

  /** What the tasks' own health checks say, of those that run and have one. */
  get probes(): ReadonlyMap<string, Probe> {
    return new Map(this.all.flatMap(({ name, run }) => (run?.health ? [[name, run.health.current] as const] : [])));
  }

  /** Resolves when it is known which tasks of an earlier agent go on. */
  async recovered(): Promise<void> {
    await Promise.all(this.all.map((task) => task.recovered));
  }

  /** Resolves when all are dead and nothing is left of their runs, or the agent has let go of them. */
  async settled(): Promise<void> {
    await Promise.all(this.all.map((task) => task.settled));
  }

  wake(): void {
    for (const task of this.all) task.wake();
  }

  find(name: string): TaskRunner | undefined {
    return this.#byName.get(name);
  }

  /** @throws AllocdError that names it. */
  get(name: string): TaskRunner {
    const task = this.#byName.get(name);
    if (!task) throw unknownTask(name);
    return task;
  }

  /** Does something to all tasks that can be stopped, those of one phase at once and one phase after the other. */
  async inPhases(definitions: readonly LifecycleTask[], act: (task: TaskRunner) => Promise<void>): Promise<void> {
    for (const phase of killPhases(definitions)) {
      await Promise.all(phase.flatMap((name) => this.find(name) ?? []).map(act));
    }
  }
}
