/** What the driver needs of the agent's clock. */
export interface Time {
  /** Milliseconds since some fixed moment, untouched by changes of the wall clock. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
