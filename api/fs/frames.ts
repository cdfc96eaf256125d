import type { Piece } from "../../agent/allocs/fs/piece.js";

/** How a piece goes over the wire; empty is nothing. */
export type Framing = (piece: Piece) => string | Buffer;

/** The bytes as they are. */
export const plain: Framing = (piece) => (piece.kind === "data" ? piece.data : "");

/** JSON objects one after the other, without separators, empty members left out. Source: reference behaviour §9.3. */
export const jsonFrames: Framing = (piece) => {
  switch (piece.kind) {
    case "data":
      // Base64 needs no escapes, and a long string is better not searched for them.
      return `{"Data":"${piece.data.toString("base64")}","File":${JSON.stringify(piece.file)},"Offset":${piece.offset}}`;
    case "event":
      return JSON.stringify({ File: piece.file, FileEvent: piece.event, ...(piece.offset === 0 ? {} : { Offset: piece.offset }) });
    case "idle":
      return "{}";
  }
};
