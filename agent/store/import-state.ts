import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { parseJson } from "../model/json.js";
import { columnsOf, EXPORT_FORMAT, type ExportSummary, quoted, stateFiles, tableNames } from "./export-state.js";
import { DirectoryLock } from "./lock.js";
import { migrate } from "./migrate.js";
import { migrations } from "./migrations/index.js";
import { privateFile } from "./private-file.js";

type Members = Readonly<Record<string, unknown>>;

/**
 * Makes the state in an empty data directory of a file that `exportState` has written. The file is read to its end and
 * its sum compared before anything is made.
 *
 * @throws Error that says what is wrong with the file or the directory; nothing is left then.
 */
export async function importState(dataDir: string, file: string): Promise<ExportSummary> {
  const schema = await checkFile(file);
  requireEmpty(dataDir);
  const wasThere = existsSync(dataDir);
  const stateDir = join(dataDir, "state");
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  mkdirSync(stateDir, { mode: 0o700 });
  let lock: DirectoryLock | undefined;
  try {
    lock = DirectoryLock.take(stateDir);
    return await fill(dataDir, file, schema);
  } catch (error) {
    for (const name of ["state", ...stateFiles]) rmSync(join(dataDir, name), { recursive: true, force: true });
    if (!wasThere) rmSync(dataDir, { recursive: true, force: true });
    throw error;
  } finally {
    lock?.release();
  }
}

function requireEmpty(dataDir: string): void {
  const entries = existsSync(dataDir) ? readdirSync(dataDir).filter((name) => name !== "lost+found") : [];
  if (entries.length > 0)
    throw new Error(`data_dir: ${dataDir} holds ${entries.sort().join(", ")}; a state is imported into an empty one only`);
}

/** @returns the version of its tables. */
async function checkFile(file: string): Promise<number> {
  const hash = createHash("sha256");
  let head: Members | undefined;
  let end: Members | undefined;
  let lines = 0;
  for await (const text of linesOf(file)) {
    if (end) throw new Error(`${file}: there is something after its end`);
    const line = lines === 0 || text.startsWith('{"end"') ? membersOf(file, lines, text) : undefined;
    head ??= headOf(file, line);
    if (line?.end === true) end = line;
    else {
      hash.update(`${text}\n`);
      lines++;
    }
  }
  if (!end) throw new Error(`${file}: it has no end: it was not written whole`);
  if (end.lines !== lines || end.sha256 !== hash.digest("hex")) throw new Error(`${file}: its checksum is not that of its content`);
  return Number(head?.schema);
}

function headOf(file: string, head: Members | undefined): Members {
  const latest = migrations.at(-1)?.version ?? 0;
  if (head?.allocd !== "state") throw new Error(`${file}: it is no state that allocd has exported`);
  if (head.format !== EXPORT_FORMAT) throw new Error(`${file}: its format is ${String(head.format)}, this allocd knows ${EXPORT_FORMAT}`);
  if (!Number.isInteger(head.schema) || Number(head.schema) < 1)
    throw new Error(`${file}: schema: got ${String(head.schema)}, want a version`);
  if (Number(head.schema) > latest) {
    throw new Error(
      `${file}: its tables are of version ${String(head.schema)}, written by a later allocd; this one knows versions up to ${latest}`,
    );
  }
  return head;
}

async function fill(dataDir: string, file: string, schema: number): Promise<ExportSummary> {
  const path = join(dataDir, "state", "state.db");
  const draft = `${path}.new`;
  privateFile(draft);
  const db = new Database(draft);
  try {
    db.pragma("foreign_keys = OFF");
    // The tables as they were; later versions of them are made by the first start.
    migrate(
      db,
      draft,
      migrations.filter(({ version }) => version <= schema),
    );
    db.exec("BEGIN");
    const summary = await insertAll(db, dataDir, file);
    db.exec("UPDATE meta SET value = 1 WHERE key = 'clean'");
    const broken = db.pragma("foreign_key_check") as readonly unknown[];
    if (broken.length > 0) throw new Error(`${file}: ${broken.length} rows belong to others that are not there`);
    db.exec("COMMIT");
    db.pragma("synchronous = FULL");
    db.pragma("wal_checkpoint(TRUNCATE)");
    db.close();
    renameSync(draft, path);
    return summary;
  } finally {
    db.close();
  }
}

async function insertAll(db: Database.Database, dataDir: string, file: string): Promise<ExportSummary> {
  const known = new Set(tableNames(db));
  let insert: Database.Statement | undefined;
  let count = 0;
  let tables = 0;
  let rows = 0;
  for await (const text of linesOf(file)) {
    const line = parseJson(text);
    if (Array.isArray(line)) {
      if (!insert) throw new Error(`${file}: line ${count + 1} is a row of no table`);
      insert.run(line.map(boundValue));
      rows++;
    } else {
      const { table, columns, file: name, base64 } = line as Members;
      if (typeof name === "string") putFile(dataDir, file, name, String(base64));
      if (typeof table === "string") {
        if (!known.has(table))
          throw new Error(`${file}: table ${table} is not known in version ${String(db.pragma("user_version", { simple: true }))}`);
        insert = prepareInsert(db, file, table, columns);
        tables++;
      }
    }
    count++;
  }
  return { tables, rows };
}

/** The step that made the table may have put rows into it, which the file has too. */
function prepareInsert(db: Database.Database, file: string, table: string, columns: unknown): Database.Statement {
  const known = table === "sqlite_sequence" ? ["name", "seq"] : columnsOf(db, table);
  const named = Array.isArray(columns) ? columns.map(String) : [];
  const strange = named.find((column) => !known.includes(column));
  if (named.length === 0 || strange !== undefined) throw new Error(`${file}: table ${table} has no column ${String(strange)}`);
  db.exec(`DELETE FROM ${quoted(table)}`);
  return db.prepare(`INSERT INTO ${quoted(table)} (${named.map(quoted).join(", ")}) VALUES (${named.map(() => "?").join(", ")})`);
}

function putFile(dataDir: string, file: string, name: string, base64: string): void {
  if (!(stateFiles as readonly string[]).includes(name)) throw new Error(`${file}: file ${name} is not known`);
  const path = join(dataDir, name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, Buffer.from(base64, "base64"), { mode: 0o600, flush: true });
}

function boundValue(value: unknown): unknown {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (typeof value === "object" && value !== null) return Buffer.from(String((value as Members).base64), "base64");
  return value;
}

function membersOf(file: string, line: number, text: string): Members {
  try {
    return parseJson(text) as Members;
  } catch (error) {
    throw new Error(`${file}: line ${line + 1} is no JSON`, { cause: error });
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(file, "utf8")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
