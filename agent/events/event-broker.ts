import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Change, StateReader } from "../store/state-store.js";
import { eventOf, type StreamEvent } from "./event.js";
import type { EventFilter } from "./event-filter.js";

export interface EventBrokerOptions {
  /** Events that are kept for subscribers that come later or lag behind. */
  readonly bufferedEvents: number;
  /** How much memory these may take, about. */
  readonly bufferedBytes: number;
  readonly maxSubscribers: number;
}

/** The events of one change of the state. */
interface Entry {
  readonly number: number;
  readonly index: number;
  readonly events: readonly StreamEvent[];
}

/** What a subscriber hears next. */
export type Heard =
  | { readonly kind: "events"; readonly index: number; readonly events: readonly StreamEvent[] }
  /** Nothing for a while. */
  | { readonly kind: "silence" }
  /** It lagged behind so far that events are gone. `index` is the oldest that is still there. */
  | { readonly kind: "lost"; readonly index: number }
  | { readonly kind: "end" };

export interface Subscription {
  /** @param silenceMs how long to wait for an event. */
  next(silenceMs: number): Promise<Heard>;
  close(): void;
}

/**
 * Tells subscribers of every change of the state. What is kept for them is bounded, and shared by all: a subscriber has
 * no queue of its own, so a slow one costs nothing and is told when it has missed something.
 */
export class EventBroker {
  readonly #deps: { readonly store: StateReader; readonly clock: Clock; readonly options: EventBrokerOptions };
  readonly #entries: Entry[] = [];
  readonly #waiting = new Set<() => void>();
  #events = 0;
  #bytes = 0;
  #nextNumber = 0;
  #subscribers = 0;
  #isClosed = false;
  readonly #unsubscribe: () => void;

  constructor(deps: { readonly store: StateReader; readonly clock: Clock; readonly options: EventBrokerOptions }) {
    this.#deps = deps;
    this.#unsubscribe = deps.store.watch.subscribe((changes, index) => this.#publish(changes, index));
  }

  /** Ends all subscriptions. */
  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#entries.length = 0;
    this.#wake();
  }

  /**
   * Begins with the oldest event of that index or a later one that is still there.
   *
   * @param gone aborted when the subscriber went.
   * @throws AllocdError 429 when there are too many subscribers.
   */
  subscribe(filter: EventFilter, index: number, gone: AbortSignal): Subscription {
    const { maxSubscribers } = this.#deps.options;
    if (this.#subscribers >= maxSubscribers) {
      throw new AllocdError("too-many-requests", `event stream: ${maxSubscribers} are open already, which is the limit`);
    }
    this.#subscribers++;
    let isOpen = true;
    let next = this.#entries.find((entry) => entry.index >= index)?.number ?? this.#nextNumber;
    return {
      next: async (silenceMs) => {
        const end = this.#deps.clock.monotonicMs() + silenceMs;
        for (;;) {
          if (this.#isClosed || gone.aborted || !isOpen) return { kind: "end" };
          const first = this.#entries[0];
          if (first ? next < first.number : next < this.#nextNumber) return { kind: "lost", index: first?.index ?? this.#deps.store.index };
          for (; next < this.#nextNumber; next++) {
            const entry = this.#entries[next - (first?.number ?? 0)];
            const events = entry?.events.filter((event) => filter.wants(event)) ?? [];
            if (entry && events.length > 0) {
              next++;
              return { kind: "events", index: entry.index, events };
            }
          }
          const left = end - this.#deps.clock.monotonicMs();
          if (left <= 0) return { kind: "silence" };
          await this.#change(left, gone);
        }
      },
      close: () => {
        if (isOpen) this.#subscribers--;
        isOpen = false;
      },
    };
  }

  #publish(changes: readonly Change[], index: number): void {
    const events = new Map<string, StreamEvent>();
    for (const change of changes) {
      const event = eventOf(change, this.#deps.store);
      // Several changes of one object are one event, as what it tells is what became of it.
      if (event && !events.has(`${event.Topic} ${event.Key}`)) events.set(`${event.Topic} ${event.Key}`, event);
    }
    if (events.size === 0) return;
    this.#entries.push({ number: this.#nextNumber++, index, events: [...events.values()] });
    this.#count([...events.values()], 1);
    const { bufferedEvents, bufferedBytes } = this.#deps.options;
    // The latest change is kept whatever its size: it is there for those who listen now.
    while ((this.#events > bufferedEvents || this.#bytes > bufferedBytes) && this.#entries.length > 1) {
      this.#count(this.#entries.shift()?.events ?? [], -1);
    }
    this.#wake();
  }

  #count(events: readonly StreamEvent[], sign: 1 | -1): void {
    this.#events += sign * events.length;
    for (const { bytes } of events) this.#bytes += sign * bytes;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves with the next event, when the subscriber goes, and after the time at the latest. */
  #change(ms: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const over = new AbortController();
      const done = (): void => {
        this.#waiting.delete(done);
        gone.removeEventListener("abort", done);
        over.abort();
        resolve();
      };
      this.#waiting.add(done);
      gone.addEventListener("abort", done, { once: true });
      void this.#deps.clock.sleep(ms, over.signal).then(done);
    });
  }
}
