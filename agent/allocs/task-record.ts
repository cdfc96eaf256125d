import type { Clock } from "../clock.js";
import type { TaskEvent, TaskState, TaskStateName } from "../model/task-state.js";
import { appendEvent, enterState, newTaskState } from "../model/task-transitions.js";
import type { UnixNano } from "../model/units.js";
import type { StoredHandle } from "../store/state-store.js";
import type { AllocReport } from "./alloc-report.js";

export interface TaskRecordDeps {
  readonly task: string;
  readonly clock: Clock;
  readonly report: AllocReport;
  /** What the store has of it; undefined for a task that has not been heard of. */
  readonly stored: { readonly state: TaskState | undefined; readonly handle: StoredHandle | undefined };
  /** Called after every change of the state. */
  readonly onChange: () => void;
}

export interface RecordChange {
  /** Made in this order, each with a time of its own. */
  readonly events?: readonly ((at: UnixNano) => TaskEvent)[];
  readonly state?: TaskStateName;
  readonly handle?: StoredHandle;
}

const firstHandle: StoredHandle = { run: 1, driver: null, hooksDone: [] };

/** A task's state and handle as its runner knows them: ahead of the store, which hears of every change. */
export class TaskRecord {
  readonly #deps: TaskRecordDeps;
  #state: TaskState;
  #handle: StoredHandle;
  /** Whether the task is new: nothing of it was stored. */
  readonly isNew: boolean;

  constructor(deps: TaskRecordDeps) {
    this.#deps = deps;
    this.isNew = deps.stored.state === undefined;
    this.#state = deps.stored.state ?? newTaskState;
    this.#handle = deps.stored.handle ?? firstHandle;
  }

  get state(): TaskState {
    return this.#state;
  }

  get handle(): StoredHandle {
    return this.#handle;
  }

  apply({ events = [], state, handle }: RecordChange): void {
    const { task, clock, report } = this.#deps;
    const made = events.map((make) => make(clock.now()));
    const before = this.#state;
    for (const event of made) this.#state = appendEvent(this.#state, event);
    if (state) this.#state = enterState(this.#state, state, made.at(-1)?.Time ?? clock.now());
    // Events belong to the run that was current until now: a handle for the next run comes after them.
    const run = this.#handle.run;
    if (this.#state !== before)
      report.task(
        task,
        this.#state,
        made.map((event) => ({ task, run, event })),
      );
    if (handle) {
      this.#handle = handle;
      report.handle(task, handle);
    }
    if (this.#state !== before) this.#deps.onChange();
  }
}
