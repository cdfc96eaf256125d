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
  const text = typeof given === "bigint" ? String(given) : (JSON.stringify(given, shortened()) ?? String(given));
  return text.length > maxLength ? `${text.slice(0, maxLength - 3)}...` : text;
}

const maxLength = 80;

/** Nobody waits for megabytes to be rendered of which a line is shown, and no nesting is too deep to be told. */
function shortened(): (key: string, value: unknown) => unknown {
  let left = maxLength;
  return (_key, value) => {
    if (left-- <= 0) return "...";
    if (typeof value === "bigint") return String(value);
    return typeof value === "string" || Array.isArray(value) ? value.slice(0, maxLength) : value;
  };
}
