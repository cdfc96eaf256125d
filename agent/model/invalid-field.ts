/** A mistake of the caller's. Its message is made to be shown to them. */
export class InvalidInput extends Error {
  override readonly name: string = "InvalidInput";
}

/** A value of the caller's that was refused. Its message names the field, what was given and what is accepted. */
export class InvalidField extends InvalidInput {
  override readonly name = "InvalidField";
  constructor(
    /** The field as the caller wrote it, such as `Job.TaskGroups[0].Count`. */
    readonly path: string,
    given: unknown,
    /** What is accepted: "a whole number of 0 or more". */
    want: string,
  ) {
    super(`${path}: got ${describe(given)}, want ${want}`);
  }
}

/** A short rendering of what was given, safe for a log line and an HTTP body. */
export function describe(given: unknown): string {
  if (given === undefined) return "nothing";
  if (typeof given === "bigint") return String(given);
  const text = JSON.stringify(given, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)) ?? String(given);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
