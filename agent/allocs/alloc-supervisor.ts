import { readdir } from "node:fs/promises";
import type { Driver, TaskRun } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import { type Allocation, isClientTerminal } from "../model/allocation.js";
import { awaited } from "../model/fit.js";
import { describe } from "../model/invalid-field.js";
import type { Node } from "../model/node.js";
import { parseSignal } from "../model/signals.js";
import type { TaskEvent } from "../model/task-state.js";
import { SECOND, type UnixNano } from "../model/units.js";
import type { CheckResult } from "../services/alloc-checks.js";
import { Slots } from "../slots.js";
import type { Change, StateStore } from "../store/state-store.js";
import { allocRoot, makeAllocRoot, readyDirs, removeAllocDir } from "./alloc-dir.js";
import { AllocMounts } from "./alloc-mounts.js";
import { AllocRunner } from "./alloc-runner.js";
import type { TaskHook } from "./hooks/task-hook.js";
import { basicTaskHooks } from "./hooks/task-hooks.js";
import type { ReadyDirs } from "./ready-dirs.js";
import { noneRunning, noRun, notToRun, taskNotRunning, unknownTask } from "./task-errors.js";
import { messageOf } from "./task-failure.js";
import type { TaskRunnerOptions } from "./task-runner-deps.js";

export interface AllocSupervisorDeps {
  readonly store: StateStore;
  /** By the name that tasks say. */
  readonly drivers: ReadonlyMap<string, Driver>;
  /** This host as it is now. */
  readonly node: () => Node;
  readonly clock: Clock;
  readonly log: Logger;
  /** Absolute. */
  readonly dataDir: string;
  /** Absent: nothing is ever mounted. */
  readonly mounts?: AllocMounts;
  readonly options?: Partial<SupervisorOptions>;
  /** Makes the hooks of one task; else those that need nothing. */
  readonly taskHooks?: () => readonly TaskHook[];
}

export interface SupervisorOptions extends TaskRunnerOptions {
  /** Checks of services that look at the same time. */
  readonly maxParallelChecks: number;
}

const defaultOptions: SupervisorOptions = {
  maxKillTimeoutNs: 30 * SECOND,
  envDenylist: [],
  hostEnv: process.env,
  random: Math.random,
  maxParallelChecks: 50,
};
/** How long the end of the agent waits for what is being written and started. */
const stopDeadlineMs = 5_000;
/** How long the start of the agent waits until it is known which tasks go on. */
const restoreWaitMs = 2_000;
const progressStep = 100;
/** What an allocation that is not known any more waits for. */
const NOBODY = { PreviousAllocation: "", PreemptedAllocations: null };

/**
 * Keeps an alloc runner for every allocation that is not over. It learns from the store what should run; nothing but the
 * orders of `restart` and `signal` reaches it otherwise.
 */
export class AllocSupervisor {
  readonly #deps: AllocSupervisorDeps;
  readonly #options: SupervisorOptions;
  readonly #checkSlots: Slots;
  readonly #runners = new Map<string, AllocRunner>();
  readonly #removals = new Set<Promise<void>>();
  readonly #readyDirs: ReadyDirs;
  readonly #mounts: AllocMounts;
  #unsubscribe = (): void => {};

  constructor(deps: AllocSupervisorDeps) {
    this.#deps = deps;
    this.#options = { ...defaultOptions, ...deps.options };
    this.#readyDirs = readyDirs(deps.dataDir);
    this.#mounts = deps.mounts ?? new AllocMounts({ mounter: null, log: deps.log });
    this.#checkSlots = new Slots(this.#options.maxParallelChecks);
  }

  /**
   * Takes up what an earlier agent has left, and follows the store from now on. For a driver that can not say which tasks
   * go on it waits a moment only; orders to those tasks wait longer.
   */
  async start(): Promise<void> {
    const { store, log, dataDir } = this.#deps;
    makeAllocRoot(dataDir);
    this.#readyDirs.open();
    this.#unsubscribe = store.watch.subscribe((changes) => {
      for (const change of changes) this.#apply(change);
    });
    const open = store.allocs().filter((alloc) => this.#isOpen(alloc));
    const restored = open.flatMap((alloc) => this.#run(alloc) ?? []);
    let count = 0;
    for (const runner of restored) {
      void runner.recovered.then(() => {
        count++;
        if (count === restored.length || count % progressStep === 0) log.info(`restored ${count} of ${restored.length} allocations`);
      });
    }
    await this.#deregisterOver();
    const enough = new AbortController();
    await Promise.race([Promise.all(restored.map((runner) => runner.recovered)), this.#deps.clock.sleep(restoreWaitMs, enough.signal)]);
    enough.abort();
    await removeForgotten(dataDir, store, this.#mounts).catch((error: unknown) =>
      log.warn({ err: error }, "old directories could not be removed"),
    );
    for (const driver of this.#deps.drivers.values()) {
      driver
        .removeForgotten({ isOpen: (id) => this.#runners.has(id), isRemoved: (id) => store.isTombstone(id) })
        .catch((error: unknown) => log.warn({ err: error, driver: driver.name }, "what is left of old runs could not be removed"));
    }
  }

  /** Lets go of all tasks, which run on. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    const deadline = new AbortController();
    const left = Promise.all([...[...this.#runners.values()].map((runner) => runner.detach()), ...this.#removals, this.#readyDirs.close()]);
    await Promise.race([left, this.#deps.clock.sleep(stopDeadlineMs, deadline.signal)]);
    deadline.abort();
    this.#runners.clear();
  }

  /**
   * Restarts one task, with `allTasks` all of them, else those that run.
   *
   * @returns resolves when the old processes have ended; for one task, when it runs again or has to wait.
   * @throws AllocdError that names the allocation or the task.
   */
  async restart(allocId: string, options: { readonly taskName?: string; readonly allTasks?: boolean }): Promise<void> {
    const { taskName, allTasks } = options;
    if (taskName && allTasks) throw new AllocdError("invalid", "task name cannot be set when restarting all tasks");
    const alloc = this.#alloc(allocId);
    const runner = this.#runners.get(allocId);
    if (runner) return runner.restart(options);
    if (!taskName) throw notToRun();
    requireTask(alloc, taskName);
    throw taskNotRunning(taskName);
  }

  /**
   * Sends a signal to the main process of a task, or of every task that runs.
   *
   * @param signal a name in any case, with or without SIG.
   * @param task empty or undefined: all that run.
   * @throws AllocdError that names what is wrong; the signal has reached nobody then.
   */
  async signal(allocId: string, signal: string, task = ""): Promise<void> {
    const alloc = this.#alloc(allocId);
    const name = parseSignal(signal);
    if (name === undefined) throw new AllocdError("invalid", `Signal: got ${describe(signal)}, want the name of a signal, such as SIGUSR1`);
    const runner = this.#runners.get(allocId);
    if (runner) return runner.signal(name, signal, task);
    if (task !== "") requireTask(alloc, task);
    throw noneRunning(task === "" ? taskNames(alloc) : [task]);
  }

  /** The run that a command is to be started beside. @throws AllocdError that says why there is none. */
  execTarget(allocId: string, task: string): TaskRun {
    const alloc = this.#alloc(allocId);
    const runner = this.#runners.get(allocId);
    if (runner) return runner.runOf(task);
    requireTask(alloc, task);
    throw noRun(task, (alloc.TaskStates?.[task]?.StartedAt ?? null) !== null);
  }

  /** The runs of an allocation's tasks that are there now, by task. */
  runs(allocId: string): ReadonlyMap<string, TaskRun> {
    return this.#runners.get(allocId)?.runs ?? new Map();
  }

  /** Resolves when nothing of an allocation runs any more; at once for one that nothing is left to do for. */
  ended(allocId: string): Promise<void> {
    return this.#runners.get(allocId)?.done ?? Promise.resolve();
  }

  /** The allocations that have not ended. */
  get running(): readonly Allocation[] {
    return [...this.#runners.keys()].flatMap((id) => this.#deps.store.alloc(id) ?? []);
  }

  /** Tells all tasks of an allocation that run. */
  emit(allocId: string, event: (at: UnixNano) => TaskEvent): void {
    this.#runners.get(allocId)?.emit(event);
  }

  isRunning(allocId: string): boolean {
    return this.#runners.has(allocId);
  }

  /** What the checks of an allocation's services have found, by their ids; null when there is nothing. */
  checks(allocId: string): Readonly<Record<string, CheckResult>> | null {
    return this.#runners.get(allocId)?.checks ?? null;
  }

  /** The agent may have come to its end between that of an allocation and that of its registrations. */
  async #deregisterOver(): Promise<void> {
    const { store } = this.#deps;
    const over = store.services().filter(({ AllocID }) => !this.#runners.has(AllocID));
    if (over.length > 0) await store.commit(over.map((service): Change => ({ kind: "service-delete", service })));
  }

  #alloc(id: string): Allocation {
    const alloc = this.#deps.store.alloc(id);
    if (!alloc) throw new AllocdError("alloc-not-found", `Unknown allocation "${id}"`);
    return alloc;
  }

  #apply(change: Change): void {
    switch (change.kind) {
      case "alloc-create":
      case "alloc-desired": {
        const id = change.kind === "alloc-create" ? change.alloc.ID : change.id;
        const alloc = this.#deps.store.alloc(id);
        if (!alloc) return;
        const runner = this.#runners.get(id);
        if (runner) this.#guard(id, () => runner.update(alloc));
        else if (change.kind === "alloc-create") this.#run(alloc);
        return;
      }
      case "alloc-delete":
        this.#remove(change.id);
        return;
      default:
    }
  }

  #run(alloc: Allocation): AllocRunner | undefined {
    try {
      const { store, drivers, node, clock, log, dataDir, taskHooks = basicTaskHooks } = this.#deps;
      const runner = new AllocRunner(
        {
          ...{ store, drivers, node, clock, log, dataDir, taskHooks },
          ended: (id) => this.#ended(id, new Set([alloc.ID])),
          readyDirs: this.#readyDirs,
          mounts: this.#mounts,
          options: this.#options,
          checkSlots: this.#checkSlots,
        },
        alloc,
      );
      this.#runners.set(alloc.ID, runner);
      void runner.done.then(() => {
        if (this.#runners.get(alloc.ID) === runner) this.#runners.delete(alloc.ID);
      });
      runner.start();
      return runner;
    } catch (error) {
      this.#refuse(alloc, error);
      return undefined;
    }
  }

  /** One that ends before its own turn leaves what it waited for to whoever waits for it. */
  async #ended(id: string, seen: Set<string>): Promise<void> {
    if (seen.has(id)) return;
    seen.add(id);
    await this.#runners.get(id)?.done;
    const find = (other: string): Allocation | undefined => this.#deps.store.alloc(other);
    const before = awaited(find(id) ?? NOBODY, find);
    await Promise.all(before.map((other) => this.#ended(other.ID, seen)));
  }

  /** Source of the text: reference behaviour §4.1. */
  #refuse(alloc: Allocation, error: unknown): void {
    const { store, log } = this.#deps;
    log.error({ err: error, allocId: alloc.ID }, "the allocation can not be taken up");
    const DeploymentStatus = { Healthy: false, Timestamp: null, Canary: false, ModifyIndex: 0 };
    const ClientDescription = `Unable to add allocation due to error: ${messageOf(error)}`;
    store
      .commit([{ kind: "alloc-observed", id: alloc.ID, patch: { ClientStatus: "failed", ClientDescription, DeploymentStatus } }])
      .catch((failed: unknown) => log.error({ err: failed, allocId: alloc.ID }, "its refusal could not be stored"));
  }

  #remove(id: string): void {
    const { dataDir, log } = this.#deps;
    const runner = this.#runners.get(id);
    this.#runners.delete(id);
    const removal = (runner?.destroy() ?? Promise.resolve())
      .then(() => removeAllocDir(dataDir, id, this.#mounts))
      .catch((error: unknown) => log.warn({ err: error, allocId: id }, "the allocation's directory could not be removed"))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  #guard(allocId: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#deps.log.error({ err: error, allocId }, "a change of an allocation could not be acted on");
    }
  }

  /** Whether there is something left to do for it. */
  #isOpen(alloc: Allocation): boolean {
    const names = taskNames(alloc);
    if (names.some((name) => (this.#deps.store.taskHandle(alloc.ID, name)?.driver ?? null) !== null)) return true;
    if (alloc.TaskStates === null) return !isClientTerminal(alloc);
    return alloc.ClientStatus !== "lost" && names.some((name) => alloc.TaskStates?.[name]?.State !== "dead");
  }
}

/** A crash may have come between an allocation's removal and that of its directory. */
async function removeForgotten(dataDir: string, store: StateStore, mounts: AllocMounts): Promise<void> {
  const entries = await readdir(allocRoot(dataDir)).catch(() => []);
  const ids = new Set(entries.map((entry) => entry.replace(/(\.state)?\.json(\.new)?$/, "")));
  // A directory that the store has never heard of may belong to a newer store than this one: it is not ours to remove.
  await Promise.all([...ids].filter((id) => store.isTombstone(id)).map((id) => removeAllocDir(dataDir, id, mounts)));
}

const taskNames = (alloc: Allocation): readonly string[] =>
  alloc.Job.TaskGroups.find((group) => group.Name === alloc.TaskGroup)?.Tasks.map((task) => task.Name) ?? [];

function requireTask(alloc: Allocation, task: string): void {
  if (!taskNames(alloc).includes(task)) throw unknownTask(task);
}
