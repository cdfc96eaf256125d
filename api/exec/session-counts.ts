import { ExecRefused } from "./exec-request.js";

export interface SessionLimits {
  readonly maxSessions: number;
  readonly maxSessionsPerAllocation: number;
  /** Of one token; callers without one are not counted. */
  readonly maxSessionsPerToken: number;
}

/** Counts exec sessions: all, of each allocation, of each token. */
export class SessionCounts {
  readonly #limits: SessionLimits;
  readonly #counts = new Map<string, number>();

  constructor(limits: SessionLimits) {
    this.#limits = limits;
  }

  /**
   * @param accessor of the token; empty for callers without one.
   * @returns a function that gives the session's place back, to be called once.
   * @throws ExecRefused when one of the limits is reached.
   */
  take(allocId: string, accessor: string): () => void {
    const { maxSessions, maxSessionsPerAllocation, maxSessionsPerToken } = this.#limits;
    const places = [
      { key: "all", limit: maxSessions, of: "" },
      { key: `alloc ${allocId}`, limit: maxSessionsPerAllocation, of: " of this allocation" },
      ...(accessor === "" ? [] : [{ key: `token ${accessor}`, limit: maxSessionsPerToken, of: " of this token" }]),
    ];
    for (const { key, limit, of } of places) {
      const count = this.#counts.get(key) ?? 0;
      if (count >= limit) throw new ExecRefused(1008, `there are ${count} exec sessions${of} already`);
    }
    for (const { key } of places) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    return () => {
      for (const { key } of places) {
        const left = (this.#counts.get(key) ?? 1) - 1;
        if (left > 0) this.#counts.set(key, left);
        else this.#counts.delete(key);
      }
    };
  }
}
