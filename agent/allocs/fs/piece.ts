/** One step of a file's or a log's content on its way to a reader. */
export type Piece =
  | {
      readonly kind: "data";
      /** From the allocation's root. */
      readonly file: string;
      /** In the file, after `data`. Source: reference behaviour §9.3. */
      readonly offset: number;
      readonly data: Buffer;
    }
  | { readonly kind: "event"; readonly file: string; readonly offset: number; readonly event: "file deleted" | "file truncated" }
  /** Nothing came for the time of a heartbeat. */
  | { readonly kind: "idle" };

/** Content that is read only as fast as it is asked for. Holds descriptors until it is closed. */
export interface PieceSource {
  /** Null is the end, also when the signal is aborted. One call at a time. */
  next(signal: AbortSignal): Promise<Piece | null>;
  close(): Promise<void>;
}

export type Origin = "start" | "end";
