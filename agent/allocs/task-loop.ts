import {
  type Driver,
  DriverError,
  type ExitResult,
  type HealthState,
  type Recovery,
  type TaskRun,
  type TaskSpec,
} from "../../drivers/driver.js";
import { decideRestart, type RestartTracker, type RunEnd, restartsOnSuccess } from "../model/restart-policy.js";
import * as events from "../model/task-events.js";
import type { TaskEvent } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";
import type { StoredHandle } from "../store/state-store.js";
import type { TaskHook } from "./hooks/task-hook.js";
import { recoverRun } from "./recover-run.js";
import { stopRun } from "./stop-run.js";
import type { TaskControl } from "./task-control.js";
import { type LaunchDeps, launchFailure, prepareTask, resumeTask, specForRecovery } from "./task-launch.js";
import type { TaskRecord } from "./task-record.js";
import type { TaskRequests } from "./task-requests.js";
import type { TaskRunnerDeps } from "./task-runner-deps.js";

/*
 *                    ┌───────────────── after the restart's delay ─────────────────┐
 *                    ▼                                                             │
 *   new ──► pending: waits for its turn ──► durable, hooks ────► driver.start     │
 *                    │ kill                   │ failed              │ failed  │    │
 *                    │                        └──────► conclude ◄───┘         ▼    │
 *                    │                                  │  ▲  ▲            running │
 *                    │             restarts no more     │  │  └─ Terminated ─┘     │
 *                    ▼                                  │  │                       │
 *                  dead ◄───────────────────────────────┘  └── restart ────────────┘
 *                    └──► revive: pending again
 *
 *   The agent may end at any point. What its successor needs is in the handle {run, driver, ended}:
 *     driver null          the run is to be started, and may have been: the driver knows
 *     driver, not ended    it runs, or ended while nobody looked: the driver recovers it
 *     driver, ended        its end is on record, its remains may still be there
 */

/** Why a run is over, or was never begun. */
interface Ended {
  readonly end: RunEnd;
  /** What is to be told before the decision. */
  readonly events: readonly ((at: UnixNano) => TaskEvent)[];
  /** The run whose remains are to be destroyed. */
  readonly run: TaskRun | null;
  /** What is stored with the events. */
  readonly handle: StoredHandle;
}

const nsPerMs = 1_000_000;

/** Takes a task from wherever an earlier agent has left it to its end. */
export class TaskLoop {
  readonly #deps: TaskRunnerDeps;
  readonly #record: TaskRecord;
  readonly #requests: TaskRequests;
  #tracker: RestartTracker;
  readonly #control: TaskControl;
  readonly #hooks: readonly TaskHook[];
  #life = new AbortController();
  #run: TaskRun | null = null;
  #cleanup: Promise<void> = Promise.resolve();

  constructor(deps: TaskRunnerDeps, record: TaskRecord, requests: TaskRequests, control: TaskControl) {
    this.#deps = deps;
    this.#record = record;
    this.#requests = requests;
    this.#control = control;
    this.#hooks = deps.hooks();
    this.#tracker = { count: 0, intervalStart: deps.clock.monotonicMs() * nsPerMs };
  }

  /** The run that is there now. */
  get run(): TaskRun | null {
    return this.#run;
  }

  /** Resolves when nothing is left of the runs that have ended. */
  get cleanup(): Promise<void> {
    return this.#cleanup;
  }

  /**
   * Resolves when the task is dead, or the agent ends.
   *
   * @param recovered called when it is known whether an earlier agent's run goes on.
   */
  async drive(recovered: () => void): Promise<void> {
    this.#life = new AbortController();
    try {
      await this.#live(recovered);
    } finally {
      this.#life.abort();
    }
  }

  async #live(recovered: () => void): Promise<void> {
    await this.#cleanup;
    let begun = await this.#takeUp();
    if (begun && !("end" in begun)) {
      this.#setRun(begun);
      resumeTask(this.#launchDeps(), this.#record);
    }
    recovered();
    if (this.#record.state.State === "dead") return;
    if (begun === null) await this.#restOfDelay();
    for (;;) {
      begun ??= await this.#launch();
      if (begun === null) return;
      const ended: Ended | null = "end" in begun ? begun : await this.#attend(begun);
      if (ended === null || !(await this.#conclude(ended))) return;
      begun = null;
    }
  }

  /** What an earlier agent has left: a run, the end of one, or nothing. */
  async #takeUp(): Promise<TaskRun | Ended | null> {
    const { handle, isNew, state } = this.#record;
    if (isNew || (handle.driver === null && state.State === "dead")) return null;
    const { driver, clock, log } = this.#deps;
    const spec = specForRecovery(this.#launchDeps(), handle.run);
    const recovery = await recoverRun(driver, handle.driver, spec, { clock, log, signal: this.#requests.detachSignal });
    if (recovery === null) return null;
    const run = recovery.outcome === "found" ? recovery.run : null;
    if (handle.driver === null) {
      // It was started, and the agent came to its end before that was on record. It must not be forgotten even if it is not wanted any more.
      if (run) this.#recordStart(run);
      return run;
    }
    if (state.State !== "dead" && !handle.ended) {
      return run ?? this.#endOf(null, { exitCode: -1, signal: 0, oomKilled: false, error: lostReason(recovery) });
    }
    this.#cleanup = this.#discard(run, handle);
    return null;
  }

  /** Waits for what an earlier agent has left of the delay before a restart. */
  async #restOfDelay(): Promise<void> {
    const last = this.#record.state.Events.at(-1);
    if (last?.Type === "Restarting") await this.#restartDelay(Number(last.Time + BigInt(last.StartDelay) - this.#deps.clock.now()));
  }

  /** Starts the next run once it is its turn. Null: the agent ends. */
  async #launch(): Promise<TaskRun | Ended | null> {
    const requests = this.#requests;
    const { mayStart, report, log } = this.#deps;
    for (;;) {
      await this.#cleanup;
      if (!mayStart()) requests.restartDone();
      await requests.until(() => requests.killed || requests.detached || requests.failure !== null || mayStart());
      if (requests.detached) return null;
      const { handle } = this.#record;
      if (requests.failure) return { run: null, handle, end: { kind: "killed" }, events: [requests.failure] };
      if (requests.killed) return { run: null, handle, end: { kind: "killed" }, events: [] };
      try {
        // That there is this run is written down while the hooks work; what they have done the next agent can find out.
        const storing = report.durable();
        const prepared = await prepareTask(this.#launchDeps(), this.#record);
        if (!prepared) continue;
        const { spec, driver } = prepared;
        const stored = await storing;
        if (stored === "gone" || requests.detached) return null;
        // A start that the next agent would not hear of must not be made; waiting for ever would help nobody.
        if (stored === "failed") throw new DriverError("the task's state can not be stored", true);
        // Meanwhile the task may have been killed, or the whole group held back.
        if (!requests.killed && mayStart()) return await this.#begin(driver, spec);
      } catch (error) {
        if (requests.detached) return null;
        // A start that was given up is no failure of the task's.
        if (requests.killed) return { run: null, handle: nextRun(this.#record.handle), end: { kind: "killed" }, events: [] };
        const { event, recoverable, message } = launchFailure(error);
        log.info({ reason: message }, "the task could not be started");
        return { run: null, handle: nextRun(this.#record.handle), end: { kind: "start-failed", recoverable }, events: [event] };
      }
    }
  }

  async #begin(driver: Driver, spec: TaskSpec): Promise<TaskRun | null> {
    const run = await driver.start(spec, {
      signal: this.#requests.interruption,
      message: (text, annotations) => this.#record.apply({ events: [(at) => events.driverMessage(at, text, annotations)] }),
    });
    // The handle still says that the run is to be started: whoever comes next finds it.
    if (this.#requests.detached) return null;
    this.#setRun(run);
    this.#recordStart(run);
    // Whoever asked for a restart finds it running when told that it is done.
    if (this.#requests.isRestarting) void this.#deps.report.durable().then(() => this.#requests.restartDone());
    return run;
  }

  #setRun(run: TaskRun): void {
    this.#run = run;
    run.health?.onChange((health) => {
      if (this.#run === run && !this.#requests.detached) this.#record.apply({ events: [(at) => healthChanged(at, health)] });
    });
  }

  #recordStart(run: TaskRun): void {
    this.#deps.log.info({ run: this.#record.handle.run }, "task started");
    this.#record.apply({ events: [events.started], state: "running", handle: { ...this.#record.handle, driver: run.state } });
  }

  /** Stays with a run until it has ended. Null: the agent ends. */
  async #attend(run: TaskRun): Promise<Ended | null> {
    const requests = this.#requests;
    const over = new AbortController();
    let exit: ExitResult | null = null;
    let leak = "";
    run.onOutputLost?.((lost) => this.#record.apply({ events: [(at) => events.outputLost(at, lost)] }));
    void run.exited.then((result) => {
      exit = result;
      over.abort("over");
      requests.wake();
    });
    const isOver = (): boolean => exit !== null || requests.detached;
    const { name, runs } = this.#deps;
    if (!requests.killed) runs.started(name, run);
    await requests.until(() => isOver() || requests.killed || requests.restartWanted);
    if (!isOver()) await runs.stopping(name);
    if (requests.killed && !isOver()) await this.#shutdownDelay(isOver);
    if (!isOver()) {
      const { clock, log, options, placement } = this.#deps;
      void stopRun(run, placement().task, { clock, log, signal: over.signal, maxNs: options.maxKillTimeoutNs }).then((error) => {
        leak = error;
        requests.wake();
      });
      await requests.until(() => isOver() || leak !== "");
    }
    if (requests.detached) return null;
    runs.ended(name);
    this.#run = null;
    if (exit) return this.#endOf(run, exit);
    return { run: null, handle: this.#record.handle, end: { kind: "killed" }, events: [(at) => events.killed(at, leak)] };
  }

  /** @param run null when nothing is left of it. */
  #endOf(run: TaskRun | null, exit: ExitResult): Ended {
    const handle = run ? { ...this.#record.handle, ended: true } : nextRun(this.#record.handle);
    const successful = exit.exitCode === 0 && exit.signal === 0 && exit.error === "";
    const made = [(at: UnixNano): TaskEvent => events.terminated(at, exit)];
    if (this.#requests.killed) return { run, handle, end: { kind: "killed" }, events: [...made, (at) => events.killed(at)] };
    return {
      run,
      handle,
      end: this.#requests.isFreeRestart
        ? { kind: "restart-requested" }
        : { kind: "exited", successful: successful && !this.#requests.restartWanted },
      events: made,
    };
  }

  async #shutdownDelay(isOver: () => boolean): Promise<void> {
    const { placement, skipDelays, clock } = this.#deps;
    const delay = Number(placement().task.ShutdownDelay);
    if (delay <= 0) return;
    if (skipDelays.aborted) return this.#record.apply({ events: [(at) => events.skippingShutdownDelay(at, delay)] });
    this.#record.apply({ events: [(at) => events.waitingForShutdownDelay(at, delay)], state: "pending" });
    await this.#requests.pause(clock, delay / nsPerMs, () => skipDelays.aborted || isOver());
  }

  /** Records the end of a run and what comes of it. @returns whether the task goes on, after its delay. */
  async #conclude(ended: Ended): Promise<boolean> {
    const { placement, clock, options, log } = this.#deps;
    const { alloc, task } = placement();
    const { decision, reason, delay, tracker } = decideRestart({
      policy: task.RestartPolicy,
      restartsOnSuccess: restartsOnSuccess(alloc.Job.Type, task.Lifecycle),
      tracker: this.#tracker,
      end: ended.end,
      now: clock.monotonicMs() * nsPerMs,
      random: options.random(),
    });
    this.#tracker = tracker;
    log.info({ run: this.#record.handle.run, end: ended.end, decision, reason }, "task run ended");
    const made = [...ended.events];
    if (decision === "restart") made.push((at) => events.restarting(at, delay, reason));
    if (decision === "failed") made.push((at) => events.notRestarting(at, reason));
    this.#record.apply({ events: made, state: decision === "restart" ? "pending" : "dead", handle: ended.handle });
    if (ended.run) this.#cleanup = this.#discard(ended.run, ended.handle);
    this.#requests.restartTaken();
    if (decision !== "restart" || delay > 0) this.#requests.restartDone();
    if (decision !== "restart") return false;
    await this.#restartDelay(delay);
    return !this.#requests.detached;
  }

  /** @param delay nanoseconds. */
  async #restartDelay(delay: number): Promise<void> {
    await this.#requests.pause(this.#deps.clock, delay / nsPerMs, () => this.#requests.killed);
  }

  /** Destroys what is left of an ended run. Its records are the only proof of its end until ours is on disk. */
  async #discard(run: TaskRun | null, handle: StoredHandle): Promise<void> {
    const { report, log } = this.#deps;
    const stored = await report.durable();
    if (stored === "gone") return;
    try {
      if (stored === "failed") throw new Error("its end is not on record");
      if (!handle.ended) await run?.stop("", 0);
      await run?.destroy();
    } catch (error) {
      log.warn({ err: error, run: handle.run }, "what is left of a run could not be removed");
    }
    this.#record.apply({ handle: nextRun(handle) });
  }

  #launchDeps(): LaunchDeps {
    const { placement, driver, node, dataDir, readyDirs, mounts, options, log, clock } = this.#deps;
    const own = { signal: this.#requests.interruption, lifetime: this.#life.signal, hooks: this.#hooks, control: this.#control };
    return { ...placement(), driver, node: node(), dataDir, readyDirs, mounts, options, log, clock, ...own };
  }
}

const nextRun = ({ run, hooksDone }: StoredHandle): StoredHandle => ({ run: run + 1, driver: null, hooksDone });

const healthChanged = (at: UnixNano, { status, output }: HealthState): TaskEvent =>
  events.driverMessage(at, `Health check: ${status}`, { health: status, ...(output === "" ? {} : { output }) });

const lostReason = (recovery: Recovery): string => (recovery.outcome === "lost" ? recovery.reason : "");
