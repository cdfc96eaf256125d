import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import type { AllocDeploymentStatus, AllocNetworkStatus } from "../model/allocation.js";
import type { ClientSummary } from "../model/client-status.js";
import type { TaskState } from "../model/task-state.js";
import { StoreClosedError } from "../store/errors.js";
import type { Change, NewTaskEvent, ObservedPatch, StateStore, StoredHandle } from "../store/state-store.js";

/**
 * What became of a report: it is on disk; it never will be, as the agent ends; or the store has refused it again and
 * again, which is a defect, and whoever waits for it has to go another way.
 */
export type Stored = "stored" | "gone" | "failed";

export interface AllocReportDeps {
  readonly store: StateStore;
  readonly allocId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly summary: () => ClientSummary;
}

/** Between attempts to store a report that was refused although the disk is well. */
const retriesMs = [100, 1_000, 5_000];
/** Between attempts once nobody waits any more. */
const owedMs = 30_000;

/**
 * The only writer of an allocation's observed state. What is said within one turn of the event loop becomes one change in the store, and
 * nobody waits for it but those who ask with `durable`.
 */
export class AllocReport {
  readonly #deps: AllocReportDeps;
  readonly #handles = new Map<string, StoredHandle>();
  #states: Record<string, TaskState> = {};
  #events: NewTaskEvent[] = [];
  #deployment: AllocDeploymentStatus | null | undefined;
  #network: AllocNetworkStatus | undefined;
  /** All that was ever said, for a report that has to be made again. */
  readonly #said = { states: {} as Record<string, TaskState>, handles: new Map<string, StoredHandle>() };
  #isDirty = false;
  readonly #closing = new AbortController();
  /** What was said last is not on disk, and nobody waits for it any more. */
  #isOwed = false;
  #latest: Promise<Stored> = Promise.resolve("stored");

  constructor(deps: AllocReportDeps) {
    this.#deps = deps;
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** A task has another state; `events` are those that are new with it. */
  task(name: string, state: TaskState, events: readonly NewTaskEvent[]): void {
    if (this.#isClosed) return;
    this.#states[name] = state;
    this.#said.states[name] = state;
    this.#events.push(...events);
    this.#schedule();
  }

  handle(task: string, handle: StoredHandle): void {
    if (this.#isClosed) return;
    this.#handles.set(task, handle);
    this.#said.handles.set(task, handle);
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

  /** Resolves when everything said so far is on disk, or it is known that it will not be. */
  durable(): Promise<Stored> {
    this.#flush();
    return this.#latest;
  }

  /** Writes what was said, and nothing that is said from now on. */
  close(): void {
    this.#flush();
    this.#closing.abort("over");
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
    const patch: ObservedPatch = {
      ...this.#deps.summary(),
      ...(Object.keys(this.#states).length > 0 ? { TaskStates: this.#states } : {}),
      ...(this.#events.length > 0 ? { events: this.#events } : {}),
      ...(this.#deployment === undefined ? {} : { DeploymentStatus: this.#deployment }),
      ...(this.#network === undefined ? {} : { NetworkStatus: this.#network }),
    };
    this.#latest = this.#write(patch, new Map(this.#handles));
    this.#states = {};
    this.#events = [];
    this.#deployment = undefined;
    this.#network = undefined;
    this.#handles.clear();
  }

  async #write(first: ObservedPatch, handles: ReadonlyMap<string, StoredHandle>): Promise<Stored> {
    const { store, clock, allocId, log } = this.#deps;
    let changes = changesOf(allocId, first, handles);
    for (let attempt = 0; ; attempt++) {
      try {
        await store.commit(changes);
        return "stored";
      } catch (error) {
        if (error instanceof StoreClosedError || (error instanceof AllocdError && error.code === "degraded")) {
          log.warn({ err: error }, "a report comes too late for the store: the next agent finds out again what it said");
          return "gone";
        }
        const wait = this.#isClosed ? undefined : retriesMs[attempt];
        log.error({ err: error, attempt: attempt + 1, again: wait !== undefined }, "a report was refused by the store");
        if (wait === undefined) {
          void this.#owe();
          return "failed";
        }
        await clock.sleep(wait, this.#closing.signal);
        changes = changesOf(allocId, this.#again(first, attempt), this.#said.handles);
      }
    }
  }

  /** What is shown must not stay wrong for ever because of one report that could not be made. */
  async #owe(): Promise<void> {
    if (this.#isOwed) return;
    this.#isOwed = true;
    const { store, clock, allocId, log } = this.#deps;
    const { signal } = this.#closing;
    for (await clock.sleep(owedMs, signal); !signal.aborted; await clock.sleep(owedMs, signal)) {
      try {
        await store.commit(changesOf(allocId, this.#again({}, 1), this.#said.handles));
        log.info("the report that the store refused was taken at last");
        break;
      } catch (error) {
        log.error({ err: error }, "a report is refused by the store again and again");
      }
    }
    this.#isOwed = false;
  }

  /** Later reports have been made meanwhile, so the latest of everything is told. It may be an event that can not be stored. */
  #again({ events = [], ...first }: ObservedPatch, attempt: number): ObservedPatch {
    if (attempt > 0 && events.length > 0) this.#deps.log.error({ events: events.length }, "events are left out of the history");
    const patch = { ...first, ...this.#deps.summary(), TaskStates: { ...this.#said.states } };
    return attempt > 0 ? patch : { ...patch, events };
  }
}

const changesOf = (allocId: string, patch: ObservedPatch, handles: ReadonlyMap<string, StoredHandle>): readonly Change[] => [
  { kind: "alloc-observed", id: allocId, patch },
  ...[...handles].map(([task, handle]): Change => ({ kind: "task-handle", allocId, task, handle })),
];
