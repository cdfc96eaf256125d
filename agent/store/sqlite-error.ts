/** SQLite's extended code, as SQLITE_IOERR_WRITE; empty for any other error. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : "";
}

/** True when the write was in order and the disk is at fault. */
export const isDiskFault = (error: unknown): boolean =>
  /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|NOMEM|BUSY|LOCKED|PROTOCOL)/.test(codeOf(error)) || isFileFault(error);

/** The same of a file that is not SQLite's. */
export const isFileFault = (error: unknown): boolean =>
  error instanceof Error && "code" in error && ["ENOSPC", "EDQUOT", "EROFS", "EIO"].includes(String(error.code));

export const isDamage = (error: unknown): boolean => /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error));
