import type { Change, StateWatch } from "./state-store.js";

interface Waiter {
  readonly keys: readonly string[];
  readonly wake: () => void;
}

type Listener = (changes: readonly Change[], index: number) => void;

/** Who waits for what. A waiter is known under each of its keys until one of them changes or it gives up. */
export class Watch implements StateWatch {
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #listeners = new Set<Listener>();
  readonly #onError: (error: unknown) => void;

  /** @param onError told what a waiter or listener threw: it must not keep the others from being called. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** How many keys are waited for and how many listeners there are. */
  get size(): { readonly keys: number; readonly listeners: number } {
    return { keys: this.#waiters.size, listeners: this.#listeners.size };
  }

  once(keys: readonly string[], wake: () => void): () => void {
    const waiter: Waiter = { keys, wake };
    for (const key of keys) {
      const waiting = this.#waiters.get(key);
      if (waiting) waiting.add(waiter);
      else this.#waiters.set(key, new Set([waiter]));
    }
    return () => this.#forget(waiter);
  }

  subscribe(listener: Listener): () => void {
    // Wrapped, so that the same function subscribed twice is two subscriptions.
    const entry: Listener = (changes, index) => listener(changes, index);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Wakes all who wait for one of the keys, then tells the listeners. */
  publish(keys: ReadonlySet<string>, changes: readonly Change[], index: number): void {
    const woken = new Set<Waiter>();
    for (const key of keys) for (const waiter of this.#waiters.get(key) ?? []) woken.add(waiter);
    for (const waiter of woken) this.#forget(waiter);
    for (const { wake } of woken) this.#call(wake);
    for (const listener of [...this.#listeners]) this.#call(() => listener(changes, index));
  }

  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#onError(error);
    }
  }

  #forget(waiter: Waiter): void {
    for (const key of waiter.keys) {
      const waiting = this.#waiters.get(key);
      if (waiting?.delete(waiter) && waiting.size === 0) this.#waiters.delete(key);
    }
  }
}
