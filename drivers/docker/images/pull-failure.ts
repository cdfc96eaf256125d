/** Why an image could not be had. */
export class PullFailure extends Error {
  override readonly name = "PullFailure";
  constructor(
    message: string,
    /** Whether trying again may help. */
    readonly recoverable: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What passes by itself, even when the text speaks of access too. */
const passing = [
  /toomanyrequests/i,
  /too many requests/i,
  /rate limit/i,
  /timeout/i,
  /timed out/i,
  /deadline exceeded/i,
  /\bstatus(?: code)?:? 5\d\d/i,
  /no space left/i,
];

/** What stays as it is until somebody changes the job, the image or the credentials. */
const lasting = [
  /invalid reference format/i,
  /repository name must be/i,
  /not found/i,
  /manifest unknown/i,
  /name unknown/i,
  /does not exist/i,
  /unauthorized/i,
  /\bdenied\b/i,
  /authentication required/i,
  /no basic auth credentials/i,
  /incorrect username or password/i,
  /no matching manifest/i,
  /unsupported manifest/i,
  /operating system .* cannot be used/i,
];

const lastingStatuses: ReadonlySet<number> = new Set([400, 401, 403, 404]);

/**
 * Whether a pull that failed so may succeed when it is tried again: registries and networks come back, an image that does not
 * exist does not. The engine gives most of it as text, with status 500 or in the midst of its progress.
 *
 * @param status of the engine's answer; 0 when it came in the midst of the progress, or the engine did not answer.
 */
export function isRecoverable(status: number, message: string): boolean {
  if (passing.some((pattern) => pattern.test(message))) return true;
  return !lastingStatuses.has(status) && !lasting.some((pattern) => pattern.test(message));
}
