/**
 * Every error that a caller of the API can see: its code, HTTP status and the shape of its message. Expected failures
 * are thrown as `AllocdError`; anything else that is thrown is a defect and answers 500.
 */
const TABLE = {
  invalid: 400,
  "bad-query": 400,
  "permission-denied": 403,
  "alloc-not-found": 404,
  "not-found": 404,
  "method-not-allowed": 405,
  conflict: 409,
  "too-large": 413,
  "task-not-running": 409,
  "too-many-requests": 429,
  degraded: 507,
  unreadable: 500,
} as const;

export type ErrorCode = keyof typeof TABLE;

export class AllocdError extends Error {
  override readonly name = "AllocdError";
  readonly status: number;
  constructor(
    readonly code: ErrorCode,
    /** Plain text for the caller: names the field and what was given. */
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.status = TABLE[code];
  }
}

/** Too many of something, until some seconds have passed. */
export class RetryLater extends AllocdError {
  constructor(
    message: string,
    readonly seconds: number,
  ) {
    super("too-many-requests", message);
  }
}

/** A token that no caller has, or that no longer counts. Nothing more is told, to nobody. */
export class BadToken extends AllocdError {
  constructor(reason: "ACL token not found" | "ACL token expired") {
    super("permission-denied", reason === "ACL token expired" ? reason : "Permission denied");
  }
}
