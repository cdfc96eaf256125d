import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Backups } from "./backups.js";
import { RESTORE_GAP } from "./high-water.js";
import type { SqliteStore } from "./sqlite-store.js";
import { aJob, creation } from "./testing/samples.js";
import { TemporaryStores } from "./testing/temporary-store.js";

let stores: TemporaryStores;

beforeAll(() => {
  stores = new TemporaryStores();
});

afterAll(() => stores.remove());

const database = (dir: string): string => join(dir, "state.db");
const ids = (store: SqliteStore): readonly string[] => store.allocs().map(({ ID }) => ID);

/** Damages a database, of which no connection is open. */
type Damage = (dir: string) => void;

function inDatabase(dir: string, sql: string): void {
  const db = new Database(database(dir));
  db.exec(sql);
  db.close();
}

const damages: readonly (readonly [string, Damage])[] = [
  ["random bytes", (dir) => writeFileSync(database(dir), Buffer.alloc(20_000, "no database at all"))],
  ["no bytes", (dir) => truncateSync(database(dir), 0)],
  ["half of its bytes", (dir) => truncateSync(database(dir), statSync(database(dir)).size / 2)],
  ["its header and nothing else", (dir) => truncateSync(database(dir), 100)],
  ["nothing: it is gone", (dir) => rmSync(database(dir))],
  [
    "a directory",
    (dir) => {
      rmSync(database(dir));
      mkdirSync(database(dir));
    },
  ],
  [
    "pages written over",
    (dir) => {
      inDatabase(dir, "UPDATE meta SET value = 0 WHERE key = 'clean'; PRAGMA wal_checkpoint(TRUNCATE)");
      const bytes = readFileSync(database(dir));
      bytes.fill(0xaa, 4_096 * 2, 4_096 * 20);
      writeFileSync(database(dir), bytes);
    },
  ],
  ["a text that is no JSON", (dir) => inDatabase(dir, "UPDATE allocs SET body = substr(body, 1, 40)")],
  ["an allocation whose job is gone", (dir) => inDatabase(dir, "PRAGMA foreign_keys = OFF; DELETE FROM job_copies")],
  ["none of its tables", (dir) => inDatabase(dir, "PRAGMA foreign_keys = OFF; DROP TABLE alloc_status")],
];

/** A directory with a backup of `kept` and `lost` committed after it, closed. @returns the index of `lost`. */
async function withBackup(dir: string, hasBackup: boolean): Promise<number> {
  const store = await stores.open(dir, { backups: { everyMs: 0, keep: 3 } });
  await store.commit([{ kind: "job", job: aJob(), spec: true }]);
  await Promise.all(Array.from({ length: 100 }, (_, place) => store.commit([creation(`kept-${place}`)])));
  if (hasBackup) await store.backups.run();
  const index = await store.commit([creation("lost")]);
  await stores.close(store);
  return index;
}

describe.each(damages)("a database that holds %s", (_, damage) => {
  test("is put aside, the backup takes its place and the index goes on far above", async () => {
    const dir = stores.newDir();
    const lost = await withBackup(dir, true);
    damage(dir);
    const isThere = existsSync(database(dir));
    const store = await stores.open(dir);
    expect(ids(store)).toHaveLength(100);
    expect(store.index).toBe(lost + RESTORE_GAP);
    expect(store.tableIndex("allocs")).toBe(lost + RESTORE_GAP);
    expect(store.start).toMatchObject({ isOlder: true, knownIndex: lost - 1, repair: { restored: expect.stringContaining("backups/") } });
    const { quarantine } = store.start.repair ?? { quarantine: "" };
    expect(existsSync(join(quarantine, "state.db"))).toBe(isThere);
    expect(store.warnings).toEqual([expect.stringContaining(quarantine)]);
    await store.commit([creation("new")]);
    await stores.close(store);

    const again = await stores.open(dir);
    expect(again.start).toMatchObject({ isOlder: false, repair: null });
    expect([ids(again).length, again.index]).toEqual([101, lost + RESTORE_GAP + 1]);
    expect(again.warnings).toHaveLength(1);
    rmSync(quarantine, { recursive: true });
    await stores.close(again);
    const looked = await stores.open(dir);
    expect(looked.warnings).toEqual([]);
    await stores.close(looked);
  }, 20_000);

  test("gives way to an empty one when there is no backup, above every index that was handed out", async () => {
    const dir = stores.newDir();
    const lost = await withBackup(dir, false);
    damage(dir);
    const store = await stores.open(dir);
    expect([ids(store), store.start.repair?.restored, store.start.isOlder]).toEqual([[], null, true]);
    expect(store.index).toBe(lost + RESTORE_GAP);
    await store.commit([creation("new")]);
    await stores.close(store);
    const again = await stores.open(dir);
    expect(ids(again)).toEqual(["new"]);
    await stores.close(again);
  }, 20_000);
});

test.each(["state.db-wal", "state.db-shm"])("garbage in %s costs at most what was in it, and the index does not go back", async (name) => {
  const dir = stores.newDir();
  await withBackup(dir, true);
  writeFileSync(join(dir, name), Buffer.alloc(50_000, "garbage"));
  const store = await stores.open(dir);
  expect(ids(store)).toHaveLength(101);
  await store.commit([creation("new")]);
  await stores.close(store);
});

test("a WAL that is lost with commits in it is noticed by the high-water file", async () => {
  const dir = stores.newDir();
  const idle = { trimAfterMs: 3_600_000, checkpointAfterMs: 3_600_000 };
  const store = await stores.open(dir, { idle });
  await store.commit([creation("first")]);
  const before = readFileSync(database(dir));
  for (let count = 0; count < 150; count++) await store.commit([creation(`${count}`)]);
  const copy = stores.newDir();
  mkdirSync(copy);
  writeFileSync(database(copy), before);
  copyFileSync(join(dir, "high-water"), join(copy, "high-water"));
  const { index } = store;
  await stores.close(store);
  const older = await stores.open(copy);
  expect(older.index).toBeGreaterThan(index);
  await stores.close(older);
});

test("of several backups the newest that is good is taken; those that are damaged or of a later version are passed over", async () => {
  const dir = stores.newDir();
  await withBackup(dir, true);
  const backups = new Backups(dir);
  const [good = ""] = backups.list();
  const newer = backups.newPath(Date.parse("2099-01-01"));
  copyFileSync(good, newer);
  const db = new Database(newer);
  db.pragma("user_version = 99");
  db.close();
  writeFileSync(backups.newPath(Date.parse("2099-01-02")), "no backup");
  const garbled = backups.newPath(Date.parse("2099-01-03"));
  copyFileSync(good, garbled);
  const text = new Database(garbled);
  text.exec("UPDATE allocs SET body = '{'");
  text.close();
  writeFileSync(database(dir), "no database");
  const store = await stores.open(dir);
  expect(store.start.repair).toMatchObject({ restored: good, reason: "file is not a database" });
  expect(ids(store)).toHaveLength(100);
  expect(readdirSync(dir).filter((name) => name.startsWith("state.corrupt-"))).toHaveLength(1);
  await stores.close(store);
});

test("damage that is found in use ends the store, and the next start repairs it", async () => {
  const dir = stores.newDir();
  let fatal: Error | undefined;
  const store = await stores.open(dir, { onFatal: (error) => (fatal = error), backups: { everyMs: 0, keep: 3 } });
  await store.commit([creation("kept")]);
  await store.backups.run();
  await stores.close(store);
  const bytes = readFileSync(database(dir));
  // The history's pages are not read at a start.
  const db = new Database(database(dir), { readonly: true });
  const root = Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'task_events_by_task'").pluck().get());
  db.close();
  bytes.fill(0x55, 4_096 * (root - 1), 4_096 * root);
  writeFileSync(database(dir), bytes);

  const damaged = await stores.open(dir, { onFatal: (error) => (fatal = error) });
  expect(damaged.start.repair).toBeNull();
  await expect(damaged.history({ allocId: "kept", task: "main", limit: 5 })).rejects.toThrow("malformed");
  expect(fatal?.message).toContain("malformed");
  await expect(damaged.commit([creation("b")])).rejects.toThrow();
  await stores.close(damaged);

  const repaired = await stores.open(dir);
  expect(repaired.start.repair).toMatchObject({ restored: expect.stringContaining("backups/") });
  expect(ids(repaired)).toEqual(["kept"]);
  await stores.close(repaired);
  const again = await stores.open(dir);
  expect(again.start.repair).toBeNull();
  await stores.close(again);
});

test("of many repairs the latest five are kept", async () => {
  const dir = stores.newDir();
  await withBackup(dir, true);
  for (let round = 0; round < 7; round++) {
    writeFileSync(database(dir), `damaged ${round}`);
    await stores.close(await stores.open(dir));
  }
  const left = readdirSync(dir).filter((name) => name.startsWith("state.corrupt-"));
  expect(left.map((name) => readFileSync(join(dir, name, "state.db"), "utf8")).sort()).toEqual(
    [2, 3, 4, 5, 6].map((round) => `damaged ${round}`),
  );
}, 20_000);
