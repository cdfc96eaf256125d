import type { CheckOutcome } from "../model/check-status.js";

/** What one run of a check has found. */
export interface ProbeResult {
  readonly outcome: CheckOutcome;
  /** For people; bounded. */
  readonly output: string;
  /** The HTTP status, or 0. */
  readonly code: number;
}

/** Looks once. It does not reject, and nothing of it is left when it resolves; the signal ends it early. */
export type Probe = (signal: AbortSignal) => Promise<ProbeResult>;

/** Source: reference behaviour §10: as much of an answer is shown. */
export const maxOutputBytes = 3 * 1024;

export const success = (output: string, code = 0): ProbeResult => ({ outcome: "success", output, code });
export const failure = (output: string, code = 0): ProbeResult => ({ outcome: "failure", output, code });

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ETIMEDOUT: "i/o timeout",
};

/** A failed connection in the reference's words. Source: reference behaviour §10. */
export function dialError(error: unknown, address: string): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const reason = reasons[code];
  if (reason === undefined) return `dial tcp ${address}: ${message}`;
  return code === "ETIMEDOUT" ? `dial tcp ${address}: ${reason}` : `dial tcp ${address}: connect: ${reason}`;
}

export const hostPort = (address: string, port: number): string => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);

/** Nobody answers within the time that the check gives. */
export const timeoutError = (): Error => Object.assign(new Error("i/o timeout"), { code: "ETIMEDOUT" });
