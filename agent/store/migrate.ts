import type { Database } from "better-sqlite3";
import { StoreOpenError } from "./errors.js";
import { migrations as allSteps } from "./migrations/index.js";
import type { Migration } from "./migrations/migration.js";

/** Says of each step that was taken how to go back. Older than all steps, hence none of them. */
const stepsTable = `
  CREATE TABLE IF NOT EXISTS migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    taken_at TEXT NOT NULL,
    way_down TEXT NOT NULL
  ) STRICT`;

export const versionOf = (db: Database): number => Number(db.pragma("user_version", { simple: true }));

/**
 * Takes the steps that the database lacks, each in a transaction of its own.
 *
 * @param keepCopy called before the first step of a database that is in use, with the version that it is to have.
 * @throws StoreOpenError `newer` when the database knows steps that we do not.
 */
export function migrate(
  db: Database,
  path: string,
  steps: readonly Migration[] = allSteps,
  keepCopy: (version: number) => void = () => {},
): void {
  const version = versionOf(db);
  refuseNewer(version, path, steps);
  const lacking = steps.filter((step) => step.version > version);
  const last = lacking.at(-1);
  if (last && version > 0) keepCopy(last.version);
  for (const step of lacking) take(db, step);
}

/** @throws StoreOpenError `newer` for a version that we do not know. */
export function refuseNewer(version: number, path: string, steps: readonly Migration[] = allSteps): void {
  const latest = steps.at(-1)?.version ?? 0;
  if (version > latest) {
    throw new StoreOpenError(
      "newer",
      path,
      `${path} is of version ${version}, written by a later allocd; this one knows versions up to ${latest}. Its table "migrations" says how to go back.`,
    );
  }
}

function take(db: Database, step: Migration): void {
  const run = db.transaction(() => {
    db.exec(stepsTable);
    db.exec(step.up);
    db.prepare("INSERT INTO migrations (version, name, taken_at, way_down) VALUES (?, ?, datetime('now'), ?)").run(
      step.version,
      step.name,
      step.down,
    );
    db.pragma(`user_version = ${step.version}`);
  });
  run.immediate();
}
