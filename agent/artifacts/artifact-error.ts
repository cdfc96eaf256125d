/** Why an artifact could not be fetched. `message` is made to be shown and holds no secret. */
export class ArtifactError extends Error {
  override readonly name = "ArtifactError";
  constructor(
    message: string,
    /** What may help: another try at once, one that the task's restart policy decides on, or nothing. */
    readonly remedy: "retry" | "restart" | "none",
    options?: ErrorOptions & { readonly retryAfterMs?: number | undefined },
  ) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs;
  }

  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined;
}

/** What was asked for can not be done, now or later. */
export const refused = (message: string): ArtifactError => new ArtifactError(message, "none");
