export type OpenFailure =
  /** Another agent works on the directory. */
  | "locked"
  /** The database is damaged. */
  | "corrupt"
  /** A later allocd wrote the database. */
  | "newer"
  /** The directory or a file in it can not be used. */
  | "unusable";

/** Why the store can not be opened. The message names the directory or the file. */
export class StoreOpenError extends Error {
  override readonly name = "StoreOpenError";
  constructor(
    readonly reason: OpenFailure,
    /** The directory ("locked") or the file. */
    readonly path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The disk refused a write that was in order: it can be tried again as it is. */
export class DiskError extends Error {
  override readonly name = "DiskError";
}

/** The database was found to be damaged while it was in use. The next start looks at it and puts a good one in its place. */
export class DamageError extends Error {
  override readonly name = "DamageError";
}

/** Rows that do not belong together, as no agent has written them. */
export class RowsError extends Error {
  override readonly name = "RowsError";
}

/** The store takes nothing more, as the agent ends. What was not written will be found by the next agent on the host. */
export class StoreClosedError extends Error {
  override readonly name = "StoreClosedError";
}
