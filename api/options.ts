/** The API's limits. Milliseconds and bytes. */
export interface ApiOptions {
  readonly region: string;
  /** Host names that this agent answers to, besides `localhost` and IP addresses. */
  readonly hostNames: readonly string[];
  /** Origins of pages, such as `https://ops.example`, that may use the API from a browser. */
  readonly allowedOrigins: readonly string[];
  /** A longer request body is 413. */
  readonly maxBodyBytes: number;
  /** Concurrent connections of one address; 0 is no limit. */
  readonly maxConnectionsPerAddress: number;
  /** Blocking queries that may wait at once; one more is 429. */
  readonly maxBlockedQueries: number;
  /** The same of one address; 0 is no limit of its own. */
  readonly maxBlockedQueriesPerClient: number;
  /** How long the wakes of list queries are collected before they answer. */
  readonly coalesceMs: number;
  /** Encoded responses that are kept for those who ask the same. */
  readonly responseCacheBytes: number;
  /** 1 (fast) to 6. */
  readonly gzipLevel: number;
  readonly headersTimeoutMs: number;
  /** For receiving a whole request, body included; it does not limit how long a query blocks. */
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Request line and headers. The command of an exec is in the request line. */
  readonly maxHeaderBytes: number;
  /** How long `close` waits for answers that are under way. */
  readonly closeGraceMs: number;
}

export const defaultApiOptions: ApiOptions = {
  region: "global",
  hostNames: [],
  allowedOrigins: [],
  maxBodyBytes: 10 * 1024 * 1024,
  maxConnectionsPerAddress: 100,
  maxBlockedQueries: 10_000,
  maxBlockedQueriesPerClient: 0,
  coalesceMs: 10,
  responseCacheBytes: 32 * 1024 * 1024,
  gzipLevel: 1,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 120_000,
  // Longer than the idle timeout of common clients' pools, so that they and not we close a pooled connection.
  keepAliveTimeoutMs: 120_000,
  maxHeaderBytes: 64 * 1024,
  closeGraceMs: 2_000,
};
