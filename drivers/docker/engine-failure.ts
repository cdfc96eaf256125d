/** What the engine or the way to it said of a call that failed. */
export interface EngineFailure {
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The engine's own words, without those of the client library around them. */
  readonly message: string;
  /** Whether nothing answered: the engine is down, or the call took too long. */
  readonly unreachable: boolean;
}

interface ModemError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly statusCode?: unknown;
  readonly json?: { readonly message?: unknown } | null;
}

/** Source: dockerode's `(HTTP code 404) no such container - <message> `, which streams have without `json`. */
const modemPrefix = /^\(HTTP code \d+\) (?:.*?) - /s;

export function engineFailure(thrown: unknown): EngineFailure {
  const error: ModemError = typeof thrown === "object" && thrown !== null ? thrown : { message: String(thrown) };
  const status = typeof error.statusCode === "number" ? error.statusCode : 0;
  const said = typeof error.json?.message === "string" ? error.json.message : String(error.message ?? thrown).replace(modemPrefix, "");
  const late = error.name === "AbortError" || error.name === "TimeoutError";
  return { status, message: late ? "the engine did not answer in time" : said.trim(), unreachable: status === 0 };
}
