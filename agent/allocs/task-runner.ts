import type { TaskRun } from "../../drivers/driver.js";
import type { SignalName } from "../model/signals.js";
import * as events from "../model/task-events.js";
import type { TaskEvent, TaskState } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";
import { killTimeout } from "./stop-run.js";
import type { TaskControl } from "./task-control.js";
import { taskNotRunning } from "./task-errors.js";
import { messageOf } from "./task-failure.js";
import { TaskLoop } from "./task-loop.js";
import { TaskRecord } from "./task-record.js";
import { TaskRequests } from "./task-requests.js";
import type { TaskRunnerDeps } from "./task-runner-deps.js";

/** One task of an allocation, over restarts and over agents. It alone changes the task's state. */
export class TaskRunner {
  readonly name: string;
  /** Resolves when it is known whether an earlier agent's run goes on. */
  readonly recovered: Promise<void>;
  readonly #deps: TaskRunnerDeps;
  readonly #record: TaskRecord;
  readonly #requests = new TaskRequests();
  readonly #loop: TaskLoop;
  #setRecovered = (): void => {};
  #driving: Promise<void> = Promise.resolve();

  constructor(deps: TaskRunnerDeps) {
    const { name, clock, report, store, onChange } = deps;
    const { alloc } = deps.placement();
    const stored = { state: alloc.TaskStates?.[name], handle: store.taskHandle(alloc.ID, name) };
    this.name = name;
    this.#deps = deps;
    this.#record = new TaskRecord({ task: name, clock, report, stored, onChange });
    this.#loop = new TaskLoop(deps, this.#record, this.#requests, this.#control());
    this.recovered = new Promise((resolve) => {
      this.#setRecovered = resolve;
    });
  }

  get state(): TaskState {
    return this.#record.state;
  }

  get isRunning(): boolean {
    return this.run !== null && this.state.State === "running";
  }

  /** Its turn has come, and it does not run yet. */
  get isStarting(): boolean {
    return this.state.State === "pending" && !this.#requests.killed && this.#deps.mayStart();
  }

  get hasStarted(): boolean {
    return this.state.StartedAt !== null;
  }

  /** The run that is there now. */
  get run(): TaskRun | null {
    return this.#loop.run;
  }

  /** Resolves when the task is dead and nothing of its runs is left, or the agent has let go of it. */
  get settled(): Promise<void> {
    return this.#driving.then(() => this.#loop.cleanup);
  }

  start(): void {
    const { isNew, handle } = this.#record;
    if (isNew) this.#record.apply({ events: [events.received], handle });
    this.#driving = this.#drive();
  }

  /** Something that the task may be waiting for has changed. */
  wake(): void {
    this.#requests.wake();
  }

  emit(event: (at: UnixNano) => TaskEvent): void {
    this.#record.apply({ events: [event] });
  }

  /**
   * Ends the task for good. Source: reference behaviour §4.7.
   *
   * @param reason what the Killing event says, or "" for the usual text.
   * @returns resolves when it is dead.
   */
  async kill(reason: string): Promise<void> {
    if (this.state.State !== "dead" && !this.#requests.killed) {
      const timeout = killTimeout(this.#deps.placement().task, this.#deps.options.maxKillTimeoutNs);
      if (this.state.FinishedAt === null) this.emit((at) => events.killing(at, timeout, reason));
      this.#requests.kill();
    }
    await this.#driving;
  }

  /** Ends a task that has not begun, as its allocation could not be set up. */
  fail(event: (at: UnixNano) => TaskEvent): void {
    this.#requests.fail(event);
  }

  /**
   * Restarts a running task. Source: reference behaviour §4.4, §4.8.
   *
   * @param isCounted whether the restart policy takes it for a failure, as a check asks for it: then it may be the last.
   * @returns resolves when it runs again, or the old process has ended and the new one has to wait.
   * @throws AllocdError `task-not-running`.
   */
  async restart(reason: string, isCounted = false): Promise<void> {
    await this.recovered;
    this.#running();
    if (!this.#requests.restartWanted) {
      this.emit((at) => events.restartSignaled(at, reason));
      this.#requests.restart(isCounted);
    }
    await this.#requests.restarted;
  }

  /** Lets a task that has ended run again. */
  revive(reason: string): void {
    if (this.state.State !== "dead" || this.#requests.killed || this.#requests.detached) return;
    this.#record.apply({ events: [(at) => events.restartSignaled(at, reason), (at) => events.restarting(at, 0, "")], state: "pending" });
    this.#driving = this.#driving.then(() => this.#drive());
  }

  /**
   * @param given the signal as the caller wrote it, for the event.
   * @throws AllocdError `task-not-running`, DriverError.
   */
  async signal(signal: SignalName, given: string): Promise<void> {
    await this.recovered;
    const run = this.#running();
    this.emit((at) => events.signaling(at, given));
    await run.signal(signal);
  }

  /** Lets go of the task, which runs on. */
  async detach(): Promise<void> {
    this.#requests.detach();
    await this.settled;
  }

  /** For what lives beside the task. */
  #control(): TaskControl {
    const running = (): TaskRun | null => {
      const isLeaving = this.#requests.killed || this.#requests.detached;
      return this.isRunning && !isLeaving ? this.run : null;
    };
    return {
      get run() {
        return running();
      },
      restart: (event) => {
        if (!running() || this.#requests.restartWanted) return;
        this.emit(event);
        this.#requests.restart(false);
      },
      signal: async (signal, event) => {
        const run = running();
        if (!run) return;
        this.emit(event);
        await run.signal(signal);
      },
      fail: (event) => {
        if (this.state.State === "dead" || this.#requests.killed || this.#requests.detached) return;
        this.emit(event);
        this.#requests.kill();
      },
    };
  }

  #running(): TaskRun {
    const { run } = this;
    const isLeaving = this.#requests.killed || this.#requests.detached;
    if (!run || !this.isRunning || isLeaving) throw taskNotRunning(this.name);
    return run;
  }

  /** A defect ends this task and no other, and not the agent. */
  async #drive(): Promise<void> {
    try {
      await this.#loop.drive(this.#setRecovered);
    } catch (error) {
      this.#deps.log.error({ err: error }, "the task's runner failed");
      await this.run?.stop("", 0).catch((failed: unknown) => this.#deps.log.error({ err: failed }, "the task could not be stopped"));
      this.#record.apply({ events: [(at) => events.notRestarting(at, `internal error: ${messageOf(error)}`)], state: "dead" });
    } finally {
      this.#setRecovered();
      this.#requests.restartDone();
    }
  }
}
