import Database from "better-sqlite3";
import { migrate, versionOf } from "./migrate.js";
import { migrations } from "./migrations/index.js";
import type { Migration } from "./migrations/migration.js";

const step = (version: number, up: string): Migration => ({ version, name: `step ${version}`, up, down: `way down of ${version}` });
const first = step(1, "CREATE TABLE one (id INTEGER PRIMARY KEY) STRICT");
const second = step(2, "CREATE TABLE two (id INTEGER PRIMARY KEY) STRICT");

let db: Database.Database;

beforeEach(() => {
  db = new Database(":memory:");
});

afterEach(() => db.close());

const tables = (): readonly unknown[] => db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all();

test("the steps that ship are numbered from 1 without a gap and say how to go back", () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, place) => place + 1));
  for (const { down } of migrations) expect(down.length).toBeGreaterThan(20);
});

test("only the steps that are lacking are taken, and each leaves its way down", () => {
  migrate(db, "state.db", [first]);
  db.exec("INSERT INTO one VALUES (5)");
  migrate(db, "state.db", [first, second]);
  migrate(db, "state.db", [first, second]);
  expect(versionOf(db)).toBe(2);
  expect(tables()).toEqual(["migrations", "one", "two"]);
  expect(db.prepare("SELECT id FROM one").pluck().all()).toEqual([5]);
  expect(db.prepare("SELECT version || ': ' || name || ': ' || way_down FROM migrations ORDER BY version").pluck().all()).toEqual([
    "1: step 1: way down of 1",
    "2: step 2: way down of 2",
  ]);
});

test("a step that fails leaves nothing of itself behind", () => {
  const broken = step(2, "CREATE TABLE two (id INTEGER) STRICT; CREATE TABLE one (id INTEGER) STRICT");
  expect(() => migrate(db, "state.db", [first, broken])).toThrow("already exists");
  expect([versionOf(db), tables()]).toEqual([1, ["migrations", "one"]]);
});

test("a database of a later version is refused before anything is done to it", () => {
  db.pragma("user_version = 3");
  expect(() => migrate(db, "/data/state.db", [first, second])).toThrow(
    '/data/state.db is of version 3, written by a later allocd; this one knows versions up to 2. Its table "migrations" says how to go back.',
  );
  expect(tables()).toEqual([]);
});

test("jobs of an earlier version keep their namespaces", () => {
  migrate(db, "state.db", migrations.slice(0, 1));
  const insert = db.prepare("INSERT INTO jobs (namespace, id, version) VALUES (?, ?, 0)");
  for (const [namespace, id] of [
    ["default", "a"],
    ["web", "a"],
    ["web", "b"],
  ])
    insert.run(namespace, id);
  migrate(db, "state.db");
  const bodies = db.prepare<[], string>("SELECT body FROM namespaces").pluck().all();
  expect(bodies.map((body) => JSON.parse(body))).toEqual([
    { Name: "web", Description: "", Meta: null, Quota: "", Capabilities: null, CreateIndex: 1, ModifyIndex: 1 },
  ]);
});

test("a database that is in use is copied once before its form changes, under the number of the new form", () => {
  const copies: (readonly [number, number])[] = [];
  const keepCopy = (version: number): void => void copies.push([version, versionOf(db)]);
  migrate(db, "state.db", [first], keepCopy);
  expect(copies).toEqual([]);
  migrate(db, "state.db", [first, second, step(3, "CREATE TABLE three (id INTEGER) STRICT")], keepCopy);
  migrate(db, "state.db", [first, second, step(3, "")], keepCopy);
  expect(copies).toEqual([[3, 1]]);
});

test("nothing changes when there is no room for the copy", () => {
  migrate(db, "state.db", [first]);
  const full = (): void => {
    throw new Error("database or disk is full");
  };
  expect(() => migrate(db, "state.db", [first, second], full)).toThrow("full");
  expect([versionOf(db), tables()]).toEqual([1, ["migrations", "one"]]);
});
