import type { StateReader } from "./store/state-store.js";

/** How the agent is, as `/v1/agent/health` says. */
export interface AgentHealth {
  /** Why it takes no new work; null when it does. */
  readonly degraded: string | null;
  /** What an operator should look at although all goes on. */
  readonly warnings: readonly string[];
}

/** Puts together what the parts know of themselves. */
export const agentHealth = (parts: {
  readonly store: Pick<StateReader, "degraded">;
  readonly fault: () => string | null;
  readonly warnings: () => readonly string[];
}): AgentHealth => ({
  get degraded() {
    return parts.store.degraded ?? parts.fault();
  },
  get warnings() {
    return parts.warnings();
  },
});
