import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Damaged databases that are kept; older ones are removed. */
const kept = 5;
const prefix = "state.corrupt-";
const note = "why.json";
const files = ["state.db", "state.db-wal", "state.db-shm"];

/** What was done about a damaged database. */
export interface Repair {
  /** ISO 8601. */
  readonly time: string;
  /** What was wrong with it. */
  readonly reason: string;
  /** Where it is now. */
  readonly quarantine: string;
  /** The backup that took its place; null when there was none that was good. */
  readonly restored: string | null;
}

/** Moves a damaged database, of which no connection is open, into a directory of its own beside it. @returns its path. */
export function quarantine(stateDir: string, now = new Date()): string {
  const path = freePath(join(stateDir, `${prefix}${now.toISOString().replace(/[-:.]/g, "")}`));
  mkdirSync(path, { mode: 0o700 });
  for (const name of files) if (existsSync(join(stateDir, name))) renameSync(join(stateDir, name), join(path, name));
  for (const old of quarantines(stateDir).slice(kept)) rmSync(old, { recursive: true, force: true });
  return path;
}

/** Notes beside the database what was done. That it can not be noted is no reason to fail. */
export function noteRepair(repair: Repair): void {
  try {
    writeFileSync(join(repair.quarantine, note), `${JSON.stringify(repair)}\n`, { mode: 0o600 });
  } catch {
    // The log has it.
  }
}

/** What was done and not yet looked at by an operator, who removes the directories; newest first. */
export function repairs(stateDir: string): readonly Repair[] {
  return quarantines(stateDir).map((path) => {
    try {
      return JSON.parse(readFileSync(join(path, note), "utf8")) as Repair;
    } catch {
      return { time: "", reason: "unknown", quarantine: path, restored: null };
    }
  });
}

/**
 * The database's version as its header has it, read without SQLite, which would change files by opening them.
 *
 * @returns undefined when there is no header.
 */
export function headerVersion(path: string): number | undefined {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  const header = Buffer.alloc(100);
  const fd = openSync(path, "r");
  try {
    if (readSync(fd, header) < header.length || header.toString("latin1", 0, 15) !== "SQLite format 3") return undefined;
    return header.readUInt32BE(60);
  } finally {
    closeSync(fd);
  }
}

function quarantines(stateDir: string): readonly string[] {
  return (existsSync(stateDir) ? readdirSync(stateDir) : [])
    .filter((name) => name.startsWith(prefix))
    .sort()
    .reverse()
    .map((name) => join(stateDir, name));
}

function freePath(path: string): string {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? path : `${path}-${n}`;
    if (!existsSync(candidate)) return candidate;
  }
}
