import type { IncomingMessage } from "node:http";
import type { AuditEntry } from "../agent/audit/audit-log.js";
import type { Clock } from "../agent/clock.js";
import type { Caller } from "./acl/caller.js";
import { expectedFailure } from "./failure.js";
import type { Reply } from "./route.js";

/** Where lines go. Rejects when they can not be written and have to be. */
export interface AuditSink {
  record(entry: AuditEntry): Promise<void>;
}

/** Who, as the audit log says it. */
export const whoOf = ({ identity, address }: Caller): AuditEntry => ({
  who: identity.kind,
  accessor: identity.accessor || undefined,
  name: identity.name || undefined,
  from: address,
});

export interface ChangeNotes {
  readonly target: AuditEntry;
  /** Filled by the work with what it turned out to be about. */
  readonly about: AuditEntry;
  /** Nothing is recorded but that it was done. */
  readonly whenDone: boolean;
}

/** Records changes: that one was asked for, before it is made, and what became of it. */
export class ChangeAudit {
  readonly #sink: AuditSink | undefined;
  readonly #clock: Clock;

  /** @param sink undefined keeps no record. */
  constructor(sink: AuditSink | undefined, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /**
   * @throws AllocdError 507, before anything is done, when there must be a record and can be none.
   */
  async change(
    request: IncomingMessage,
    caller: Caller,
    { target, about, whenDone }: ChangeNotes,
    work: () => Promise<Reply>,
  ): Promise<Reply> {
    const sink = this.#sink;
    if (sink === undefined) return work();
    // The query may have anything in it.
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const what = { ...whoOf(caller), method: request.method, path, ...target };
    const started = this.#clock.monotonicMs();
    if (!whenDone) await sink.record({ stage: "received", ...what });
    const complete = (status: number): Promise<void> =>
      sink.record({ stage: "complete", ...what, ...about, status, durationMs: Math.round(this.#clock.monotonicMs() - started) });
    try {
      const reply = await work();
      // It is done: a record that fails now must not say otherwise.
      await complete(reply.kind === "answer" ? reply.status : 200).catch(() => {});
      return reply;
    } catch (error) {
      if (!whenDone) await complete(expectedFailure(error)?.status ?? 500).catch(() => {});
      throw error;
    }
  }
}
