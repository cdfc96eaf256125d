import { AllocdError } from "../../errors.js";

/** The texts are the reference's, the statuses say whose mistake it is. Source: reference behaviour §9.2. */
export const pathEscapes = (): AllocdError => new AllocdError("permission-denied", "Path escapes the alloc directory");

export const notAFile = (path: string, kind: string): AllocdError =>
  new AllocdError("bad-query", kind === "directory" ? `file "${path}" is a directory` : `file "${path}" is a ${kind}, want a regular file`);

/** An error of the file system in the words of the caller's path, never the host's. What is no mistake of the caller's is given back. */
export function fsError(error: unknown, path: string): unknown {
  switch ((error as Partial<NodeJS.ErrnoException>).code) {
    case "ENOENT":
      return new AllocdError("not-found", `open ${path}: no such file or directory`, { cause: error });
    case "ENOTDIR":
      return new AllocdError("bad-query", `open ${path}: not a directory`, { cause: error });
    case "ENAMETOOLONG":
      return new AllocdError("bad-query", `open ${path}: file name too long`, { cause: error });
    case "EACCES":
    case "EPERM":
      return new AllocdError("permission-denied", `open ${path}: permission denied to the agent`, { cause: error });
    default:
      return error;
  }
}

/** For `catch`: a place that vanished is undefined, anything else is thrown. */
export const unlessMissing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== "ENOENT") throw error;
};
