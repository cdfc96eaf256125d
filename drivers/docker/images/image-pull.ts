import { DriverError } from "../../driver.js";
import type { Time } from "../time.js";
import { PullFailure } from "./pull-failure.js";

interface Waiter {
  readonly onProgress: (message: string) => void;
}

export interface PullWait {
  /** As the task has it, for its messages. */
  readonly image: string;
  readonly onProgress: (message: string) => void;
  /** How long this task waits; 0 is as long as it takes. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** One pull, for all tasks that want the same image. It goes on as long as one of them waits. */
export class ImagePull {
  readonly #waiters = new Set<Waiter>();
  readonly #abort = new AbortController();
  readonly #time: Time;
  readonly #done: Promise<void>;

  /** @param work pulls, until the signal is aborted; it throws PullFailure. */
  constructor(work: (signal: AbortSignal, tell: (message: string) => void) => Promise<void>, time: Time) {
    this.#time = time;
    this.#done = work(this.#abort.signal, (message) => {
      for (const { onProgress } of this.#waiters) onProgress(message);
    });
    // A failure is told to those who wait; they may all have gone.
    this.#done.catch(() => {});
  }

  /** Whether it was given up: who comes now starts another one. */
  get isAborted(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Resolves when it is over, however. */
  get settled(): Promise<void> {
    return this.#done.catch(() => {});
  }

  abort(): void {
    this.#abort.abort();
  }

  /** @throws DriverError when the pull fails, or this task waits no longer. */
  async wait({ image, onProgress, timeoutMs, signal }: PullWait): Promise<void> {
    const waiter: Waiter = { onProgress };
    this.#waiters.add(waiter);
    const over = new AbortController();
    try {
      await Promise.race([this.#done, this.#givenUp(timeoutMs, signal, over.signal)]);
    } catch (error) {
      if (!(error instanceof PullFailure)) throw error;
      throw new DriverError(`Failed to pull \`${image}\`: ${error.message}`, error.recoverable, { cause: error });
    } finally {
      over.abort();
      this.#waiters.delete(waiter);
      if (this.#waiters.size === 0) this.abort();
    }
  }

  #givenUp(timeoutMs: number, signal: AbortSignal | undefined, over: AbortSignal): Promise<never> {
    return new Promise((_resolve, reject) => {
      const cancelled = (): void => reject(new PullFailure("the task does not want it any more", false));
      if (signal?.aborted) cancelled();
      signal?.addEventListener("abort", cancelled, { once: true, signal: over });
      if (timeoutMs <= 0) return;
      void this.#time.sleep(timeoutMs, over).then(() => {
        if (!over.aborted) reject(new PullFailure(`it takes longer than ${timeoutMs / 1000} s`, true));
      });
    });
  }
}
