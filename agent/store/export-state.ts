import { createHash, type Hash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { encodeJson } from "../model/json.js";
import { versionOf } from "./migrate.js";

/*
 * A host's state as one file of JSON lines:
 *
 *   {"allocd":"state","format":1,"schema":<version of the tables>,"time":<ISO 8601>}
 *   {"file":<path in the data directory>,"base64":<content>}      files that belong to the state
 *   {"table":<name>,"columns":[…]}                                then a line a row, an array in the order of the columns
 *   {"end":true,"lines":<lines before this one>,"sha256":<of them, line ends included>}
 *
 * It knows no table by name, so that tables of later versions are in it without a word here. 64-bit numbers are written
 * with all their digits, blobs as {"base64":…}.
 */

export const EXPORT_FORMAT = 1;

/** Files besides the database without which the state is of no use: who this host is, and what its variables are encrypted with. */
export const stateFiles = ["node-id", "state/variables.keys"] as const;

export interface ExportSummary {
  readonly tables: number;
  readonly rows: number;
}

/** Bytes that are put together for one write. */
const bufferBytes = 1 << 20;

/**
 * Writes the state of a data directory to a file of mode 0600, as it is at one moment. The agent may run meanwhile.
 *
 * @throws Error that names the file which is missing or can not be read or written; nothing is left then.
 */
export function exportState(dataDir: string, file: string, time = new Date()): ExportSummary {
  const path = join(dataDir, "state", "state.db");
  if (!existsSync(path)) throw new Error(`${path}: there is no state`);
  const db = new Database(path, { readonly: true, fileMustExist: true });
  const draft = `${file}.new`;
  try {
    db.defaultSafeIntegers(true);
    const out = new LineFile(draft);
    try {
      // One read transaction: all tables are of the same moment.
      const summary = db.transaction(() => writeAll(db, dataDir, out, time)).deferred();
      out.end();
      renameSync(draft, file);
      return summary;
    } finally {
      out.close();
    }
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    db.close();
  }
}

function writeAll(db: Database.Database, dataDir: string, out: LineFile, time: Date): ExportSummary {
  out.line({ allocd: "state", format: EXPORT_FORMAT, schema: versionOf(db), time: time.toISOString() });
  for (const name of stateFiles) {
    const path = join(dataDir, name);
    if (existsSync(path)) out.line({ file: name, base64: readFileSync(path).toString("base64") });
  }
  let rows = 0;
  const tables = tableNames(db);
  for (const table of tables) {
    const columns = columnsOf(db, table);
    out.line({ table, columns });
    const select = db.prepare(`SELECT ${columns.map(quoted).join(", ")} FROM ${quoted(table)}`).raw();
    for (const row of select.iterate() as Iterable<unknown[]>) {
      out.line(row.map((value) => (Buffer.isBuffer(value) ? { base64: value.toString("base64") } : value)));
      rows++;
    }
  }
  return { tables: tables.length, rows };
}

/** All tables, and where SQLite keeps the numbers that were given out in them. */
export const tableNames = (db: Database.Database): readonly string[] =>
  db
    .prepare<[], string>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name NOT LIKE 'sqlite!_%' ESCAPE '!' OR name = 'sqlite_sequence') ORDER BY name",
    )
    .pluck()
    .all();

/** Columns that hold what was put in them: none that SQLite works out. */
export const columnsOf = (db: Database.Database, table: string): readonly string[] =>
  db.prepare<[string], string>("SELECT name FROM pragma_table_info(?)").pluck().all(table);

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Writes lines and sums them up. */
class LineFile {
  readonly #hash: Hash = createHash("sha256");
  #fd: number;
  #pending: string[] = [];
  #pendingBytes = 0;
  #lines = 0;

  constructor(path: string) {
    rmSync(path, { force: true });
    this.#fd = openSync(path, "wx", 0o600);
  }

  line(value: unknown): void {
    const text = `${encodeJson(value)}\n`;
    this.#lines++;
    this.#hash.update(text);
    this.#put(text);
  }

  end(): void {
    this.#put(`${encodeJson({ end: true, lines: this.#lines, sha256: this.#hash.digest("hex") })}\n`);
    this.#flush();
    fsyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #put(text: string): void {
    this.#pending.push(text);
    this.#pendingBytes += text.length;
    if (this.#pendingBytes > bufferBytes) this.#flush();
  }

  #flush(): void {
    const bytes = Buffer.from(this.#pending.join(""));
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}
