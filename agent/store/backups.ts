import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Copies from before a change of the database's form that are kept. */
const keptFormCopies = 3;

const hourly = /^state-\d{8}T\d{9}Z\.db$/;
const beforeForm = /^before-version-(\d+)\.db$/;

/**
 * The copies of the database, in a directory beside it:
 *
 *   state-<time>.db           made now and then; only copies that were checked have such a name
 *   before-version-<n>.db     made before a later allocd changed the form of the tables to version n
 */
export class Backups {
  readonly dir: string;

  constructor(stateDir: string) {
    this.dir = join(stateDir, "backups");
  }

  /** Paths of the copies that were made now and then, newest first. */
  list(): readonly string[] {
    return this.#names()
      .filter((name) => hourly.test(name))
      .sort()
      .reverse()
      .map((name) => join(this.dir, name));
  }

  /** Where the copy of before version n is. */
  beforeVersion(version: number): string {
    return join(this.dir, `before-version-${version}.db`);
  }

  /** The path of a copy that is made now, the newest whatever the clock says. @param at Unix milliseconds. */
  newPath(at: number): string {
    const [newest = ""] = this.list();
    const time = Math.max(at, timeIn(newest) + 1);
    return join(this.dir, `state-${new Date(time).toISOString().replace(/[-:.]/g, "")}.db`);
  }

  make(): void {
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
  }

  /** Removes the oldest beyond `keep`, and what a copy that was broken off has left. */
  prune(keep: number): void {
    const names = this.#names();
    const forms = names
      .filter((name) => beforeForm.test(name))
      .sort((a, b) => Number(beforeForm.exec(b)?.[1]) - Number(beforeForm.exec(a)?.[1]));
    const drafts = names.filter((name) => !hourly.test(name) && !beforeForm.test(name));
    for (const name of [...forms.slice(keptFormCopies), ...drafts]) rmSync(join(this.dir, name), { force: true });
    for (const path of this.list().slice(keep)) rmSync(path, { force: true });
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.dir);
    } catch {
      return [];
    }
  }
}

/** Unix milliseconds; 0 for no backup. */
function timeIn(path: string): number {
  const [, day = "", time = "", ms = ""] = /state-(\d{8})T(\d{6})(\d{3})Z\.db$/.exec(path) ?? [];
  const iso = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}.${ms}Z`;
  return day === "" ? 0 : Date.parse(iso);
}
