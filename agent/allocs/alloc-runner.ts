import type { TaskRun } from "../../drivers/driver.js";
import type { Logger } from "../log.js";
import { type Allocation, type AllocNetworkStatus, groupOf, isDesiredTerminal } from "../model/allocation.js";
import { type ClientSummary, clientSummary, maxRunDurationText } from "../model/client-status.js";
import type { Task, TaskGroup } from "../model/job.js";
import { advanceStage, isGroupOver, isPoststop, judgeGroup, mayStart, type Stage } from "../model/lifecycle.js";
import type { SignalName } from "../model/signals.js";
import { groupVerdict, setupFailure } from "../model/task-events.js";
import type { TaskEvent } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";
import type { CheckResult } from "../services/alloc-checks.js";
import { AllocServices, type AllocServicesDeps } from "../services/alloc-services.js";
import { writeAllocFile } from "./alloc-dir.js";
import { AllocReport } from "./alloc-report.js";
import type { AllocRunnerDeps } from "./alloc-runner-deps.js";
import { HealthWatch } from "./health-watch.js";
import { allocHooks } from "./hooks/alloc-hooks.js";
import { noneRunning, noRun, notToRun } from "./task-errors.js";
import { messageOf } from "./task-failure.js";
import { servicesEnv } from "./task-launch.js";
import { TaskRunner } from "./task-runner.js";
import { TaskSet } from "./task-set.js";

const nsPerMs = 1_000_000;

/**
 * One allocation, until every task of it is dead: sets it up, lets its tasks start in the order of their lifecycle,
 * ends them when one of them decides over the others or when it is not wanted any more, and judges its health.
 */
export class AllocRunner {
  readonly id: string;
  /** Resolves when every task is dead and nothing is left of its runs. */
  readonly done: Promise<void>;
  readonly #deps: AllocRunnerDeps;
  readonly #log: Logger;
  readonly #report: AllocReport;
  readonly #tasks: TaskSet;
  readonly #services: AllocServices;
  readonly #health: HealthWatch;
  readonly #skipDelays = new AbortController();
  /** Aborted when the allocation is to end, and when the agent does. */
  readonly #ending = new AbortController();
  readonly #detached = new AbortController();
  #alloc: Allocation;
  #group: TaskGroup;
  #stage: Stage;
  #awaited: ReadonlySet<string>;
  #isSetUp = false;
  #settingUp: Promise<void> = Promise.resolve();
  #killing: Promise<void> | null = null;
  #restarting: Promise<void> = Promise.resolve();
  #forced: ClientSummary | null = null;
  #isScheduled = false;
  #isFinished = false;
  #finish = (): void => {};

  /** @throws Error when the allocation has no such group. */
  constructor(deps: AllocRunnerDeps, alloc: Allocation) {
    this.id = alloc.ID;
    this.#deps = deps;
    this.#log = deps.log.child({ allocId: alloc.ID });
    this.#alloc = alloc;
    this.#group = groupOf(alloc);
    const isNew = alloc.TaskStates === null;
    this.#stage = isNew ? "init" : "prestart";
    this.#awaited = new Set(this.#group.Tasks.map((task) => task.Name));
    this.#report = new AllocReport({ ...deps, allocId: alloc.ID, log: this.#log, summary: () => this.#summary() });
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const emit: AllocServicesDeps["emit"] = (task, event) => this.#tasks.find(task)?.emit(event);
    const restart = (task: string | null, reason: string): void => this.#restartUnhealthy(task, reason);
    const changed = (): void => this.#health.look();
    const services = { log: this.#log, slots: deps.checkSlots, env: servicesEnv(deps), changed, restart, emit };
    this.#services = new AllocServices({ ...deps, ...services }, alloc, this.#group);
    this.#tasks = new TaskSet(this.#group.Tasks.map((task) => this.#taskRunner(task)));
    this.#health = new HealthWatch(
      {
        clock: deps.clock,
        states: () => this.#tasks.states,
        probes: () => this.#tasks.probes,
        checks: () => this.#services.summary,
        failed: () => this.#summary().ClientStatus === "failed",
        report: (status) => this.#report.health(status),
        emit,
      },
      alloc,
      this.#group,
    );
  }

  /** Resolves when it is known which tasks of an earlier agent go on. */
  get recovered(): Promise<void> {
    return this.#tasks.recovered();
  }

  start(): void {
    const isUnderWay = this.#tasks.all.some((task) => task.hasStarted);
    for (const task of this.#tasks.all) task.start();
    void this.recovered.then(() => this.#services.recovered());
    this.#apply(this.#alloc);
    this.#settingUp = this.#setUp(isUnderWay);
  }

  /** The allocation is wanted otherwise. */
  update(alloc: Allocation): void {
    this.#group = groupOf(alloc);
    this.#alloc = alloc;
    this.#apply(alloc);
    this.#health.update(alloc, this.#group);
    this.#services.update(alloc, this.#group);
    try {
      writeAllocFile(this.#deps.dataDir, alloc);
    } catch (error) {
      this.#log.warn({ err: error }, "the copy of the allocation beside its directory could not be brought up to date");
    }
  }

  /**
   * Restarts running tasks, or all. Those of several are stopped in the order of their phases, and none starts before
   * the last has ended. Source: reference behaviour §4.8.
   *
   * @returns resolves when the old processes have ended; for one task, when it runs again or has to wait.
   * @throws AllocdError that names the task.
   */
  async restart({ taskName, allTasks }: { readonly taskName?: string; readonly allTasks?: boolean }): Promise<void> {
    await this.recovered;
    if (taskName) return this.#tasks.get(taskName).restart("User requested task to restart");
    if (this.#killing || this.#isOver()) throw notToRun();
    const restarted = this.#restarting.then(() =>
      allTasks
        ? this.#restartTogether("User requested all tasks to restart", true)
        : this.#restartTogether("User requested running tasks to restart", false),
    );
    this.#restarting = restarted.catch(() => {});
    await restarted;
  }

  /** @throws AllocdError that names the tasks. */
  async signal(signal: SignalName, given: string, taskName: string): Promise<void> {
    await this.recovered;
    if (taskName) return this.#tasks.get(taskName).signal(signal, given);
    await this.#tasks.untilOneRuns(this.#deps.clock, this.#ending.signal);
    const { running } = this.#tasks;
    if (running.length === 0) throw noneRunning(this.#tasks.names);
    await Promise.all(running.map((task) => task.signal(signal, given)));
  }

  /** The run of a task that is there now. @throws AllocdError that says why there is none. */
  runOf(taskName: string): TaskRun {
    const task = this.#tasks.get(taskName);
    if (!task.run) throw noRun(taskName, task.hasStarted);
    return task.run;
  }

  /** The runs that are there now, by task. */
  get runs(): ReadonlyMap<string, TaskRun> {
    return new Map(this.#tasks.all.flatMap((task) => (task.run ? [[task.name, task.run] as const] : [])));
  }

  /** Tells all tasks that run. */
  emit(event: (at: UnixNano) => TaskEvent): void {
    for (const task of this.#tasks.running) task.emit(event);
  }

  /** What the checks of its services have found, by their ids; null when there is nothing. */
  get checks(): Readonly<Record<string, CheckResult>> | null {
    return this.#services.results;
  }

  /** Lets go of the tasks, which run on. Nothing is written from now on. */
  async detach(): Promise<void> {
    this.#detached.abort("over");
    this.#ending.abort("over");
    this.#services.detach();
    this.#health.stop();
    this.#report.close();
    await Promise.all(this.#tasks.all.map((task) => task.detach()));
    await this.#report.durable();
  }

  /** Ends everything at once: the allocation is forgotten. */
  async destroy(): Promise<void> {
    this.#skipDelays.abort("over");
    this.#ending.abort("over");
    this.#health.stop();
    await Promise.all(this.#tasks.all.map((task) => task.kill("")));
    await this.#tasks.settled();
    await this.#tearDown();
    this.#services.close();
    this.#finish();
  }

  #taskRunner(task: Task): TaskRunner {
    const { drivers, node, store, clock, dataDir, readyDirs, mounts, options, taskHooks } = this.#deps;
    return new TaskRunner({
      name: task.Name,
      placement: () => ({ alloc: this.#alloc, group: this.#group, task: this.#group.Tasks.find((t) => t.Name === task.Name) ?? task }),
      driver: drivers.get(task.Driver),
      node,
      store,
      report: this.#report,
      clock,
      log: this.#log.child({ task: task.Name }),
      dataDir,
      readyDirs,
      mounts,
      options,
      hooks: taskHooks,
      mayStart: () => this.#isSetUp && (isPoststop(task) || !this.#killing) && mayStart(this.#stage, task),
      skipDelays: this.#skipDelays.signal,
      runs: this.#services,
      onChange: () => this.#changed(),
    });
  }

  async #setUp(isUnderWay: boolean): Promise<void> {
    const { dataDir, readyDirs, ended, drivers } = this.#deps;
    const network = (status: AllocNetworkStatus): void => {
      this.#alloc = { ...this.#alloc, NetworkStatus: status };
      this.#report.network(status);
    };
    for (const { name, prerun } of allocHooks) {
      const { signal } = this.#ending;
      try {
        const context = {
          alloc: this.#alloc,
          group: this.#group,
          dataDir,
          readyDirs,
          drivers,
          isUnderWay,
          ended,
          services: this.#services,
          log: this.#log,
          signal,
          network,
        };
        await prerun(context);
      } catch (error) {
        this.#log.warn({ err: error, hook: name }, "the allocation can not be set up");
        const message = `failed to setup alloc: pre-run hook "${name}" failed: ${messageOf(error)}`;
        for (const task of this.#tasks.all) task.fail((at) => setupFailure(at, message));
        return;
      }
    }
    this.#isSetUp = true;
    this.#changed();
    void this.#limitDuration(isUnderWay);
  }

  /** Acts on what is wanted of the allocation. */
  #apply(alloc: Allocation): void {
    if (alloc.DesiredTransition.NoShutdownDelay) {
      this.#skipDelays.abort("over");
      this.#tasks.wake();
    }
    if (!isDesiredTerminal(alloc)) return;
    // That it ends now says nothing of how well it was.
    this.#health.stop();
    this.#killAll("");
  }

  /** Looks at everything once in a turn, however much has changed in it. */
  #changed(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (this.#detached.signal.aborted) return;
      try {
        this.#reconsider();
      } catch (error) {
        this.#log.error({ err: error }, "the allocation's runner failed");
      }
    });
  }

  #reconsider(): void {
    const { states } = this.#tasks;
    this.#stage = advanceStage(this.#stage, this.#group.Tasks, states, this.#awaited);
    this.#tasks.wake();
    const judged = this.#killing ? null : judgeGroup(this.#group.Tasks, states);
    if (judged) {
      for (const name of judged.doomed) this.#tasks.find(name)?.emit((at) => groupVerdict(at, judged.verdict));
      this.#killAll("");
    }
    this.#health.look();
    if (this.#tasks.areDead) void this.#end();
  }

  async #end(): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#ending.abort("over");
    this.#services.close();
    await this.#tasks.settled();
    await this.#tearDown();
    await this.#report.durable();
    this.#health.stop();
    this.#finish();
  }

  /** What the hooks have made is not needed any more. */
  async #tearDown(): Promise<void> {
    if (this.#detached.signal.aborted) return;
    const { drivers } = this.#deps;
    await this.#settingUp;
    for (const { name, postrun } of allocHooks.toReversed()) {
      try {
        await postrun?.({ alloc: this.#alloc, drivers });
      } catch (error) {
        this.#log.warn({ err: error, hook: name }, "what a hook has made could not be removed");
      }
    }
  }

  /** Source: reference behaviour §4.7. */
  #killAll(reason: string): void {
    if (this.#killing) return;
    this.#ending.abort("over");
    this.#killing = this.#kill(reason).catch((error: unknown) => this.#log.error({ err: error }, "the tasks could not be ended"));
  }

  async #kill(reason: string): Promise<void> {
    if (this.#tasks.running.length > 0) await this.#withdraw();
    await this.#tasks.inPhases(this.#group.Tasks, async (task) => {
      if (!this.#detached.signal.aborted) await task.kill(reason);
    });
  }

  /** Takes the group's services back, and leaves those who were sent to them the time that the group gives. */
  async #withdraw(): Promise<void> {
    await this.#services.withdraw();
    const delay = Number(this.#group.ShutdownDelay ?? 0);
    if (delay > 0) {
      await this.#deps.clock.sleep(delay / nsPerMs, AbortSignal.any([this.#skipDelays.signal, this.#detached.signal]));
    }
  }

  /** Source: reference behaviour §4.5, §4.10. */
  async #limitDuration(isUnderWay: boolean): Promise<void> {
    const limit = Number(this.#group.MaxRunDuration ?? 0);
    if (limit <= 0) return;
    const { clock } = this.#deps;
    const used = isUnderWay ? Number(clock.now() - this.#alloc.CreateTime) : 0;
    await clock.sleep((limit - used) / nsPerMs, this.#ending.signal);
    if (this.#ending.signal.aborted || this.#isOver()) return;
    this.#forced = { ClientStatus: "complete", ClientDescription: maxRunDurationText };
    for (const task of this.#group.Tasks) {
      // A poststop task that has not begun will not.
      if (isPoststop(task)) void this.#tasks.find(task.Name)?.kill(maxRunDurationText);
    }
    this.#killAll(maxRunDurationText);
  }

  /** A check asks for it: a task's for that task, the group's for all that run. Source: reference behaviour §10. */
  #restartUnhealthy(task: string | null, reason: string): void {
    if (this.#killing) return;
    this.#log.info({ ...(task === null ? {} : { task }), reason }, "a check asks for a restart");
    const restarted =
      task === null ? this.#restarting.then(() => this.#restartTogether(reason, false, true)) : this.#tasks.get(task).restart(reason, true);
    const settled = restarted.catch((error: unknown) => this.#log.info({ err: error }, "what a check asked for was not restarted"));
    if (task === null) this.#restarting = settled;
  }

  async #restartTogether(reason: string, withDead: boolean, isCounted = false): Promise<void> {
    const { states, running } = this.#tasks;
    const dead = this.#group.Tasks.filter((task) => withDead && !isPoststop(task) && states.get(task.Name)?.State === "dead");
    if (this.#killing || running.length + dead.length === 0) return;
    if (running.length > 0) await this.#withdraw();
    if (this.#killing) return;
    this.#stage = "init";
    this.#awaited = new Set([...running.map((task) => task.name), ...dead.map((task) => task.Name)]);
    for (const { Name } of dead) this.#tasks.find(Name)?.revive(reason);
    try {
      await this.#tasks.inPhases(this.#group.Tasks, async (task) => {
        // One that has ended by itself in the meantime has what was asked for.
        if (running.includes(task) && task.isRunning) await task.restart(reason, isCounted);
      });
    } finally {
      if (!this.#killing) this.#services.restore();
      this.#awaited = new Set();
      this.#changed();
    }
  }

  #isOver(): boolean {
    return isDesiredTerminal(this.#alloc) || isGroupOver(this.#group.Tasks, this.#tasks.states);
  }

  #summary(): ClientSummary {
    return this.#forced ?? clientSummary(this.#tasks.all.map((task) => task.state));
  }
}
