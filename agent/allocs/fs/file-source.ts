import type { Changes } from "./changes.js";
import type { FileCursor } from "./file-cursor.js";
import type { Piece, PieceSource } from "./piece.js";

/** The content of one file, to its end or, with `changes`, on and on until it is deleted. */
export class FileSource implements PieceSource {
  readonly #cursor: FileCursor;
  readonly #changes: Changes | undefined;
  #toldDeleted = false;

  constructor(cursor: FileCursor, changes?: Changes) {
    this.#cursor = cursor;
    this.#changes = changes;
  }

  async next(signal: AbortSignal): Promise<Piece | null> {
    while (!signal.aborted) {
      const piece = await this.#cursor.read();
      if (piece !== null) return piece;
      if (this.#changes === undefined || this.#toldDeleted) return null;
      if (this.#cursor.deleted) {
        this.#toldDeleted = true;
        return { kind: "event", file: this.#cursor.file, offset: this.#cursor.offset, event: "file deleted" };
      }
      if (!(await this.#changes.wait(signal)) && !signal.aborted) return { kind: "idle" };
    }
    return null;
  }

  async close(): Promise<void> {
    this.#changes?.close();
    await this.#cursor.close();
  }
}
