import type { Logger } from "../log.js";
import type { AllocDeploymentStatus, AllocNetworkStatus } from "../model/allocation.js";
import type { ClientSummary } from "../model/client-status.js";
import type { TaskState } from "../model/task-state.js";
import type { Change, NewTaskEvent, ObservedPatch, StateStore, StoredHandle } from "../store/state-store.js";

/**
 * The only writer of an allocation's observed state. What is said within one turn of the event loop becomes one change in the store, and
 * nobody waits for it but those who ask with `durable`.
 */
export class AllocReport {
  readonly #deps: { readonly store: StateStore; readonly allocId: string; readonly log: Logger; readonly summary: () => ClientSummary };
  readonly #handles = new Map<string, StoredHandle>();
  #states: Record<string, TaskState> = {};
  #events: NewTaskEvent[] = [];
  #deployment: AllocDeploymentStatus | null | undefined;
  #network: AllocNetworkStatus | undefined;
  #isDirty = false;
  #isClosed = false;
  #latest: Promise<boolean> = Promise.resolve(true);

  constructor(deps: { store: StateStore; allocId: string; log: Logger; summary: () => ClientSummary }) {
    this.#deps = deps;
  }

  /** A task has another state; `events` are those that are new with it. */
  task(name: string, state: TaskState, events: readonly NewTaskEvent[]): void {
    if (this.#isClosed) return;
    this.#states[name] = state;
    this.#events.push(...events);
    this.#schedule();
  }

  handle(task: string, handle: StoredHandle): void {
    if (this.#isClosed) return;
    this.#handles.set(task, handle);
    this.#schedule();
  }

  health(status: AllocDeploymentStatus | null): void {
    if (this.#isClosed) return;
    this.#deployment = status;
    this.#schedule();
  }

  network(status: AllocNetworkStatus): void {
    if (this.#isClosed) return;
    this.#network = status;
    this.#schedule();
  }

  /** Only the summary may have changed. */
  refresh(): void {
    if (!this.#isClosed) this.#schedule();
  }

  /**
   * Resolves when everything said so far is on disk.
   *
   * @returns false when it never will be: the store is closed, or the allocation was deleted.
   */
  durable(): Promise<boolean> {
    this.#flush();
    return this.#latest;
  }

  /** Writes what was said, and nothing that is said from now on. */
  close(): void {
    this.#flush();
    this.#isClosed = true;
  }

  #schedule(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    // A turn of the event loop, not a microtask: from Received to the eve of a start everything is one write then.
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const { store, allocId, log, summary } = this.#deps;
    const patch: ObservedPatch = {
      ...summary(),
      ...(Object.keys(this.#states).length > 0 ? { TaskStates: this.#states } : {}),
      ...(this.#events.length > 0 ? { events: this.#events } : {}),
      ...(this.#deployment === undefined ? {} : { DeploymentStatus: this.#deployment }),
      ...(this.#network === undefined ? {} : { NetworkStatus: this.#network }),
    };
    const changes: Change[] = [{ kind: "alloc-observed", id: allocId, patch }];
    for (const [task, handle] of this.#handles) changes.push({ kind: "task-handle", allocId, task, handle });
    this.#states = {};
    this.#events = [];
    this.#deployment = undefined;
    this.#network = undefined;
    this.#handles.clear();
    this.#latest = store.commit(changes).then(
      () => true,
      (error: unknown) => {
        log.warn({ err: error }, "a report was not taken by the store");
        return false;
      },
    );
  }
}
