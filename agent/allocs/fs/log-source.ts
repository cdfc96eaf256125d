import type { Changes } from "./changes.js";
import { FileCursor } from "./file-cursor.js";
import type { LogFiles, OpenLogFile } from "./log-files.js";
import { type LogFile, logPosition } from "./log-position.js";
import type { Origin, Piece, PieceSource } from "./piece.js";

/** How often a start that was rotated away between looking and opening is looked for again. */
const openAttempts = 5;

/** What keeps a follower going. */
export interface Following {
  readonly changes: Changes;
  /** Whether the directory may have another set of files since the last call. */
  takeListChanged(): boolean;
  /** Called before each read: when it says true and there is nothing left to read, that is the end. */
  isOver(): boolean;
  close(): void;
}

/**
 * A task's log over all its files, from one place on: to where it ended when it was opened, or on and on.
 *
 * The writer goes to the next file only when it is done with the one before, so a file is over once a later one is there
 * and it gives nothing more.
 */
export class LogSource implements PieceSource {
  readonly #files: LogFiles;
  readonly #last: LogFile;
  readonly #following: Following | undefined;
  #current: OpenLogFile;
  #cursor: FileCursor;
  #next: OpenLogFile | undefined;
  /** Whether there may be a later file than the current one. */
  #lookFurther = true;

  private constructor(files: LogFiles, start: { last: LogFile; file: OpenLogFile; offset: number }, following: Following | undefined) {
    this.#files = files;
    this.#last = start.last;
    this.#following = following;
    this.#current = start.file;
    this.#cursor = this.#cursorOf(start.file, start.offset);
  }

  /**
   * Owns `files` and `following` from when it resolves.
   *
   * @param following undefined ends the read at the log's present end.
   * @returns undefined when there is no file.
   */
  static async open(
    files: LogFiles,
    from: { readonly origin: Origin; readonly offset: number },
    following?: Following,
  ): Promise<LogSource | undefined> {
    for (let attempt = 0; attempt < openAttempts; attempt++) {
      const listed = await files.list();
      const last = listed.at(-1);
      if (last === undefined) return undefined;
      const { index, offset } = logPosition(listed, from.origin, from.offset);
      const file = await files.openAt(index);
      if (file !== undefined) return new LogSource(files, { last, file, offset }, following);
    }
    return undefined;
  }

  async next(signal: AbortSignal): Promise<Piece | null> {
    while (!signal.aborted) {
      // Asked before the read, so that what was written before the end is read after it.
      const over = this.#following?.isOver() ?? true;
      const piece = await this.#cursor.read();
      if (piece !== null) return piece;
      if (await this.#turn(over)) continue;
      if (over || this.#following === undefined) return null;
      if (!(await this.#following.changes.wait(signal)) && !signal.aborted) {
        this.#lookFurther = true;
        return { kind: "idle" };
      }
    }
    return null;
  }

  async close(): Promise<void> {
    this.#following?.close();
    await this.#next?.handle.close();
    await this.#cursor.close();
    await this.#files.close();
  }

  /** @returns whether to read again: there is a later file, and this one may have grown before it came, or this one is over. */
  async #turn(over: boolean): Promise<boolean> {
    if (this.#next !== undefined) {
      await this.#cursor.close();
      this.#cursor = this.#cursorOf(this.#next, 0);
      this.#current = this.#next;
      this.#next = undefined;
      // The notification of the one after it may have come long ago.
      this.#lookFurther = true;
      return true;
    }
    if (this.#following === undefined && this.#current.index >= this.#last.index) return false;
    if (this.#following?.takeListChanged()) this.#lookFurther = true;
    if (!this.#lookFurther && !over) return false;
    this.#lookFurther = false;
    this.#next = await this.#files.openAfter(this.#current);
    if (this.#following === undefined && this.#next !== undefined && this.#next.index > this.#last.index) return false;
    return this.#next !== undefined;
  }

  #cursorOf({ index, handle }: OpenLogFile, offset: number): FileCursor {
    const file = this.#files.path(index);
    if (this.#following !== undefined) return new FileCursor({ handle, file, offset, restarts: true });
    return new FileCursor({ handle, file, offset, ...(index === this.#last.index ? { end: this.#last.size } : {}) });
  }
}
