import type { BigIntStats } from "node:fs";
import { formatRfc3339 } from "../../model/rfc3339.js";

/** What `ls` and `stat` say of a file, in Nomad's words. Source: reference behaviour §9.1. */
export interface FileInfo {
  readonly ContentType?: string;
  /** As Go prints a mode: `drwxrwxrwx`. */
  readonly FileMode: string;
  readonly IsDir: boolean;
  /** RFC 3339 with nanoseconds, UTC. */
  readonly ModTime: string;
  readonly Name: string;
  /** Bytes. */
  readonly Size: number;
}

export function fileInfo(name: string, stat: BigIntStats): FileInfo {
  return {
    FileMode: goFileMode(Number(stat.mode)),
    IsDir: stat.isDirectory(),
    ModTime: formatRfc3339(stat.mtimeNs),
    Name: name,
    Size: Number(stat.size),
  };
}

const S_IFMT = 0o170000;

/** Go's letters for the types of files, and what people call them. */
const types = new Map([
  [0o040000, { letters: "d", kind: "directory" }],
  [0o120000, { letters: "L", kind: "symbolic link" }],
  [0o010000, { letters: "p", kind: "named pipe" }],
  [0o140000, { letters: "S", kind: "socket" }],
  [0o060000, { letters: "D", kind: "device" }],
  [0o020000, { letters: "Dc", kind: "device" }],
  [0o100000, { letters: "", kind: "regular file" }],
]);

export const fileKind = (stat: BigIntStats): string => types.get(Number(stat.mode) & S_IFMT)?.kind ?? "file of an unknown type";

/** A mode as Go's FileMode prints it: letters of type and special bits, or `-`, then the permissions. */
export function goFileMode(mode: number): string {
  const type = types.get(mode & S_IFMT)?.letters ?? "?";
  const special = (mode & 0o4000 ? "u" : "") + (mode & 0o2000 ? "g" : "");
  const sticky = mode & 0o1000 ? "t" : "";
  // Go prints "c" of a character device between setgid and sticky.
  const letters = type === "Dc" ? `D${special}c${sticky}` : type + special + sticky;
  const permissions = [..."rwxrwxrwx"].map((letter, bit) => (mode & (0o400 >> bit) ? letter : "-")).join("");
  return (letters || "-") + permissions;
}
