import type { FileHandle } from "node:fs/promises";
import type { Piece } from "./piece.js";

/** The most that one piece holds. Source: reference behaviour §9.3. */
const pieceBytes = 64 * 1024;

export interface CursorOptions {
  readonly handle: FileHandle;
  /** How the pieces name it. */
  readonly file: string;
  readonly offset: number;
  /** Where to stop. Default: at the file's end. */
  readonly end?: number;
  /** Start again when the file was cut, instead of ending. */
  readonly restarts?: boolean;
}

/** Reads one regular file forwards. Owns the handle. */
export class FileCursor {
  readonly #options: CursorOptions;
  #offset: number;
  readonly #end: number;
  /** The file was once this long. When it is shorter it was cut, while an offset that lies ahead just waits. */
  #known = 0;
  #deleted = false;

  constructor(options: CursorOptions) {
    this.#options = options;
    this.#offset = options.offset;
    this.#end = options.end ?? Number.POSITIVE_INFINITY;
  }

  get offset(): number {
    return this.#offset;
  }

  get file(): string {
    return this.#options.file;
  }

  /** As of the last read. */
  get deleted(): boolean {
    return this.#deleted;
  }

  /** What comes next; null when there is no more for now. */
  async read(): Promise<Piece | null> {
    const { size, nlink } = await this.#options.handle.stat();
    this.#deleted = nlink === 0;
    if (size < this.#known) {
      this.#known = size;
      if (!this.#options.restarts) return null;
      this.#offset = 0;
      return { kind: "event", file: this.file, offset: 0, event: "file truncated" };
    }
    const length = Math.min(pieceBytes, Math.min(size, this.#end) - this.#offset);
    if (length > 0) {
      const { bytesRead, buffer } = await this.#options.handle.read(Buffer.allocUnsafe(length), 0, length, this.#offset);
      this.#offset += bytesRead;
      this.#known = this.#offset;
      if (bytesRead > 0) return { kind: "data", file: this.file, offset: this.#offset, data: buffer.subarray(0, bytesRead) };
    }
    this.#known = Math.max(this.#known, Math.min(size, this.#offset));
    return null;
  }

  close(): Promise<void> {
    return this.#options.handle.close();
  }
}
