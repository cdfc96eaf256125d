/** Limits of fetching. Times are milliseconds. */
export interface ArtifactOptions {
  /** Bytes of one download. */
  readonly maxBytes: number;
  /** Bytes of what is in one archive. */
  readonly maxUnpackedBytes: number;
  /** Entries of one archive or repository. */
  readonly maxFiles: number;
  /** How many times larger than the archive its content may be. */
  readonly maxRatio: number;
  /** For one artifact, all tries together. */
  readonly timeoutMs: number;
  /** Without a byte. */
  readonly stallMs: number;
  /** Further tries after one that failed for a reason that may pass. */
  readonly retries: number;
  /** Fetched at the same time, on the whole host. */
  readonly maxConcurrent: number;
}
