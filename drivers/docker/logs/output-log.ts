import type { Logger } from "pino";
import type { OutputStream } from "../../driver.js";
import { RotatingLog } from "../../shim/rotating-log.js";
import { type Anchor, type LogPosition, loadPosition, removePosition, savePosition } from "./log-position.js";

export interface OutputLogOptions {
  readonly dir: string;
  /** Files are `<task>.stdout.N` and `<task>.stderr.N`. */
  readonly task: string;
  readonly maxFiles: number;
  readonly maxFileBytes: number;
  /** Where the position is kept, out of the task's reach. */
  readonly positionFile: string;
  /** The time, as the engine would write it. */
  readonly now: () => string;
  readonly log: Logger;
}

/** How long a position may be behind what was written: what was written since is counted in the log files themselves. */
const saveDelayMs = 500;
const start: Anchor = { at: "", written: 0, isMessage: false };

/** The log files of one container, and how far its output is in them: exact over the death of the agent at any point. */
export class OutputLog {
  /** Whether an earlier agent has begun with it. */
  readonly isTakenUp: boolean;
  readonly #options: OutputLogOptions;
  readonly #logs: Readonly<Record<OutputStream, RotatingLog>>;
  readonly #written: Record<OutputStream, number>;
  readonly #anchors: Record<OutputStream, Anchor | null>;
  #wroteAt: string;
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;
  #isClosed = false;

  /** @throws Error when the directory is not there. */
  constructor(options: OutputLogOptions) {
    this.#options = options;
    const { dir, task, maxFiles, maxFileBytes, positionFile } = options;
    const open = (name: string): RotatingLog => new RotatingLog({ dir, name: `${task}.${name}`, maxFiles, maxFileBytes });
    this.#logs = { 1: open("stdout"), 2: open("stderr") };
    const known = loadPosition(positionFile);
    this.isTakenUp = known !== null;
    const writtenOf = (stream: OutputStream): number =>
      known ? known.streams[stream].written + this.#logs[stream].bytesSince(known.streams[stream].place) : 0;
    this.#written = { 1: writtenOf(1), 2: writtenOf(2) };
    this.#anchors = known ? { 1: known.streams[1].anchor, 2: known.streams[2].anchor } : { 1: start, 2: start };
    this.#wroteAt = known?.wroteAt ?? "";
    // Without it a successor could not tell what was written from what was there before.
    this.#save();
  }

  /** Bytes of a stream since the container's start. */
  written(stream: OutputStream): number {
    return this.#written[stream];
  }

  anchor(stream: OutputStream): Anchor | null {
    return this.#anchors[stream];
  }

  setAnchor(stream: OutputStream, anchor: Anchor | null): void {
    this.#anchors[stream] = anchor;
    this.#saveSoon();
  }

  /** When something was last written, as the engine would say it; "" is never. */
  get wroteAt(): string {
    return this.#wroteAt;
  }

  append(stream: OutputStream, bytes: Buffer): void {
    if (this.#isClosed || bytes.length === 0) return;
    this.#written[stream] += bytes.length;
    this.#wroteAt = this.#options.now();
    try {
      this.#logs[stream].write(bytes);
      this.#isFailing = false;
    } catch (error) {
      // A log that can not be written must not hold up the task: its output is read on, and the loss is said once.
      if (!this.#isFailing) this.#options.log.error({ err: error }, "output is lost: the log can not be written");
      this.#isFailing = true;
    }
    this.#saveSoon();
  }

  /** @param isOver the container is gone, and so is what its position was good for. */
  close(isOver: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (isOver) removePosition(this.#options.positionFile);
    else this.#save();
    for (const log of Object.values(this.#logs)) log.close();
  }

  #saveSoon(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#save();
    }, saveDelayMs).unref();
  }

  #save(): void {
    try {
      savePosition(this.#options.positionFile, this.#position());
    } catch (error) {
      this.#options.log.warn({ err: error }, "how far the output is in the log could not be saved");
    }
  }

  #position(): LogPosition {
    const of = (stream: OutputStream) => ({
      written: this.#written[stream],
      place: this.#logs[stream].place,
      anchor: this.#anchors[stream],
    });
    return { version: 1, streams: { 1: of(1), 2: of(2) }, wroteAt: this.#wroteAt };
  }
}
