import type { Clock } from "../clock.js";
import type { TaskEvent } from "../model/task-state.js";
import type { UnixNano } from "../model/units.js";

/** What is asked of a task, and the one place where its loop sleeps until something is. */
export class TaskRequests {
  readonly #kill = new AbortController();
  readonly #detach = new AbortController();
  #restart: { readonly done: Promise<void>; readonly resolve: () => void } | null = null;
  #isRestartWanted = false;
  #isCounted = false;
  #failure: ((at: UnixNano) => TaskEvent) | null = null;
  #wake: (() => void) | null = null;

  get killed(): boolean {
    return this.#kill.signal.aborted;
  }

  /** The agent ends: the task runs on, and nothing more is said of it. */
  get detached(): boolean {
    return this.#detach.signal.aborted;
  }

  get detachSignal(): AbortSignal {
    return this.#detach.signal;
  }

  /** Aborted when what is being prepared is not wanted any more. */
  get interruption(): AbortSignal {
    return AbortSignal.any([this.#kill.signal, this.#detach.signal]);
  }

  get restartWanted(): boolean {
    return this.#isRestartWanted;
  }

  /** A restart is wanted that the restart policy does not count. */
  get isFreeRestart(): boolean {
    return this.#isRestartWanted && !this.#isCounted;
  }

  /** Whether somebody waits for a restart to be done. */
  get isRestarting(): boolean {
    return this.#restart !== null;
  }

  /** Resolves when the old process has ended and the new one runs, or has to wait for something else. */
  get restarted(): Promise<void> {
    return this.#restart?.done ?? Promise.resolve();
  }

  /** Why the task can not even begin. */
  get failure(): ((at: UnixNano) => TaskEvent) | null {
    return this.#failure;
  }

  kill(): void {
    this.#kill.abort("over");
    this.wake();
  }

  fail(event: (at: UnixNano) => TaskEvent): void {
    this.#failure ??= event;
    this.wake();
  }

  /** @param isCounted whether the restart policy takes it for a failure. */
  restart(isCounted: boolean): void {
    this.#isCounted = isCounted;
    let resolve = (): void => {};
    const done = new Promise<void>((settle) => {
      resolve = settle;
    });
    this.#restart?.resolve();
    this.#restart = { done, resolve };
    this.#isRestartWanted = true;
    this.wake();
  }

  /** The old process is gone: its end was taken as a restart. */
  restartTaken(): void {
    this.#isRestartWanted = false;
  }

  /** The new process runs, there is none, or it has to wait. */
  restartDone(): void {
    this.#isRestartWanted = false;
    this.#restart?.resolve();
    this.#restart = null;
  }

  detach(): void {
    this.#detach.abort("over");
    this.restartDone();
    this.wake();
  }

  /** Something that the loop may be waiting for has changed. */
  wake(): void {
    this.#wake?.();
  }

  /** Resolves when it holds. Whoever changes what it looks at wakes; there is one waiter at most. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = null;
  }

  /** Waits, but not longer than it makes sense, and not when the agent ends. */
  async pause(clock: Clock, ms: number, isEnough: () => boolean): Promise<void> {
    if (ms <= 0) return;
    const left = new AbortController();
    let isOver = false;
    void clock.sleep(ms, left.signal).then(() => {
      isOver = true;
      this.wake();
    });
    await this.until(() => isOver || this.detached || isEnough());
    left.abort("over");
  }
}
