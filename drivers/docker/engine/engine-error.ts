import { DriverError } from "../../driver.js";
import { engineFailure } from "../engine-failure.js";

/**
 * - `unchanged`: it was so already
 * - `unreachable`: nothing answers, the engine is down or restarts
 * - `slow`: no answer in time; it may have done what was asked
 * - `gone`: what the call was about does not exist
 * - `conflict`: it is in another state, or the name is taken
 * - `refused`: the engine will not
 * - `failed`: the engine tried and could not
 */
export type EngineErrorKind = "unchanged" | "unreachable" | "slow" | "gone" | "conflict" | "refused" | "failed";

/** A call of the engine that came to nothing. Whether trying again may help follows from the kind. */
export class EngineError extends DriverError {
  constructor(
    readonly kind: EngineErrorKind,
    /** What the engine said, alone. */
    readonly said: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, kind === "unreachable" || kind === "slow" || kind === "failed", options);
  }
}

/** Whether the error says that the engine is away rather than what it thinks of the call. */
export const isEngineDown = (error: unknown): error is EngineError =>
  error instanceof EngineError && (error.kind === "unreachable" || error.kind === "slow");

export const isGone = (error: unknown): boolean => error instanceof EngineError && error.kind === "gone";

/** Whether a call failed on the way to the engine. */
export const isUnreachable = (thrown: unknown): boolean =>
  ["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE"].includes(String((thrown as { readonly code?: unknown } | null)?.code));

/** @param what the call, as in "create container". */
export function engineError(what: string, thrown: unknown, timeoutMs: number): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const { status, message } = engineFailure(thrown);
  const cause = { cause: thrown };
  const name = (thrown as { readonly name?: unknown } | null)?.name;
  if (name === "AbortError" || name === "TimeoutError")
    return new EngineError("slow", message, `${what}: the Docker engine did not answer within ${timeoutMs / 1000} s`, cause);
  if (status === 0) return new EngineError("unreachable", message, `${what}: the Docker engine can not be reached: ${message}`, cause);
  return new EngineError(kindOf(status), message, `${what}: ${message}`, cause);
}

function kindOf(status: number): EngineErrorKind {
  if (status === 304) return "unchanged";
  if (status === 404) return "gone";
  if (status === 409) return "conflict";
  return status >= 500 ? "failed" : "refused";
}
