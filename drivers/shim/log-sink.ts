import type { OutputLoss } from "./protocol.js";
import type { RotatingLog } from "./rotating-log.js";

/** So long everything must have been written again until it is said that the log goes on. */
const quietMs = 2_000;

/**
 * Takes the output of one stream to its log. A log that can not be written must not hold up the task: its output is read
 * on, what is lost is counted, and the log goes on when there is room.
 */
export class LogSink {
  readonly #open: () => RotatingLog;
  readonly #tell: (loss: OutputLoss) => void;
  #log: RotatingLog | undefined;
  #lost = 0;
  #reason = "";
  #isLosing = false;
  #quiet: NodeJS.Timeout | undefined;

  /**
   * @param open opens the log; asked again with the next output when it throws.
   * @param tell told when output begins to be lost, and when the log goes on again.
   */
  constructor(open: () => RotatingLog, tell: (loss: OutputLoss) => void) {
    this.#open = open;
    this.#tell = tell;
  }

  write(bytes: Buffer): void {
    const before = this.#log?.written ?? 0;
    try {
      this.#log ??= this.#open();
      this.#log.write(bytes);
      if (this.#isLosing && bytes.length > 0) this.#quiet ??= setTimeout(() => this.#end(), quietMs);
    } catch (error) {
      const written = (this.#log?.written ?? before) - before;
      this.#fail(bytes.length - written, error instanceof Error ? error.message : String(error));
    }
  }

  close(): void {
    if (this.#isLosing) this.#end();
    this.#log?.close();
    this.#log = undefined;
  }

  #fail(bytes: number, reason: string): void {
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
    this.#lost += bytes;
    this.#reason = reason;
    if (this.#isLosing) return;
    this.#isLosing = true;
    this.#tell({ bytes: 0, reason, isOver: false });
  }

  #end(): void {
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
    const bytes = this.#lost;
    this.#lost = 0;
    this.#isLosing = false;
    this.#tell({ bytes, reason: this.#reason, isOver: true });
  }
}
