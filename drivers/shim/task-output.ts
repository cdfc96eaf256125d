import { setTimeout as pause } from "node:timers/promises";
import { LogSink } from "./log-sink.js";
import { OutputPump } from "./output-pump.js";
import type { OutputLoss, RunLogs } from "./protocol.js";
import { RotatingLog } from "./rotating-log.js";

/** How long output is still read when the tree is gone but somebody else holds its FIFO. */
const drainDeadlineMs = 2_000;

/** The way of a task's output from its FIFOs, or its terminal, into its logs. */
export class TaskOutput {
  readonly #options: RunLogs | null;
  readonly #onLoss: (stream: "stdout" | "stderr", loss: OutputLoss) => void;
  readonly #pumps: OutputPump[] = [];
  readonly #sinks: LogSink[] = [];

  /**
   * @param options null: what is read is thrown away.
   * @param onLoss called when output begins to be lost since its log can not be written, and when the log goes on.
   */
  constructor(options: RunLogs | null, onLoss: (stream: "stdout" | "stderr", loss: OutputLoss) => void) {
    this.#options = options;
    this.#onLoss = onLoss;
  }

  /** Reads until the end. The descriptor is ours from now on. */
  read(fd: number, kind: "fifo" | "pty", stream: "stdout" | "stderr"): void {
    const sink = this.#openSink(stream);
    this.#pumps.push(
      new OutputPump(fd, kind, (bytes) => {
        sink?.write(bytes);
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
    for (const sink of this.#sinks) sink.close();
  }

  #openSink(stream: "stdout" | "stderr"): LogSink | undefined {
    if (!this.#options) return undefined;
    const { dir, prefix, maxFiles, maxFileBytes } = this.#options;
    const open = (): RotatingLog => new RotatingLog({ dir, name: `${prefix}.${stream}`, maxFiles, maxFileBytes });
    const sink = new LogSink(open, (loss) => this.#onLoss(stream, loss));
    // The file is there from the start.
    sink.write(Buffer.alloc(0));
    this.#sinks.push(sink);
    return sink;
  }
}
