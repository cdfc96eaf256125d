import { setTimeout as pause } from "node:timers/promises";
import { OutputPump } from "./output-pump.js";
import type { RunLogs } from "./protocol.js";
import { RotatingLog } from "./rotating-log.js";

/** How long output is still read when the tree is gone but somebody else holds its FIFO. */
const drainDeadlineMs = 2_000;

/** The way of a task's output from its FIFOs, or its terminal, into its logs. */
export class TaskOutput {
  readonly #options: RunLogs | null;
  readonly #log: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly #pumps: OutputPump[] = [];
  readonly #logs: RotatingLog[] = [];

  /** @param options null: what is read is thrown away. */
  constructor(options: RunLogs | null, log: (message: string, fields: Readonly<Record<string, unknown>>) => void) {
    this.#options = options;
    this.#log = log;
  }

  /** Reads until the end. The descriptor is ours from now on. */
  read(fd: number, kind: "fifo" | "pty", stream: "stdout" | "stderr"): void {
    let log: RotatingLog | undefined;
    let failed = false;
    const append = (bytes: Buffer): void => {
      try {
        log ??= this.#openLog(stream);
        log?.write(bytes);
        failed = false;
      } catch (error) {
        // A log that can not be written must not hold up the task: it is read on and the loss is said once.
        if (!failed) this.#log("output is lost: the log can not be written", { stream, error: String(error) });
        failed = true;
      }
    };
    // The file is there from the start.
    append(Buffer.alloc(0));
    this.#pumps.push(
      new OutputPump(fd, kind, (bytes) => {
        append(bytes);
        return true;
      }),
    );
  }

  /** Stops reading at once. @returns the descriptors; undefined for an output that has ended. */
  stop(): (number | undefined)[] {
    return this.#pumps.map((pump) => pump.stop());
  }

  resume(): void {
    for (const pump of this.#pumps) pump.resume();
  }

  /** Resolves when all is in the logs, or nobody can say when it will be. */
  async end(): Promise<void> {
    const drained = Promise.all(this.#pumps.map((pump) => pump.ended));
    const late = new AbortController();
    await Promise.race([drained, pause(drainDeadlineMs, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    for (const pump of this.#pumps) pump.takeRest();
    await this.close();
  }

  /** Gives up what may still come. */
  async close(): Promise<void> {
    for (const pump of this.#pumps) pump.close();
    await Promise.all(this.#pumps.map((pump) => pump.ended));
    for (const log of this.#logs) log.close();
  }

  #openLog(stream: "stdout" | "stderr"): RotatingLog | undefined {
    if (!this.#options) return undefined;
    const { dir, prefix, maxFiles, maxFileBytes } = this.#options;
    const log = new RotatingLog({ dir, name: `${prefix}.${stream}`, maxFiles, maxFileBytes });
    this.#logs.push(log);
    return log;
  }
}
