import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import Database from "better-sqlite3";
import { Backups } from "./backups.js";
import { migrations } from "./migrations/index.js";
import { aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { StepClock } from "./testing/step-clock.js";
import { TemporaryStores } from "./testing/temporary-store.js";

let stores: TemporaryStores;

beforeAll(() => {
  stores = new TemporaryStores();
});

afterAll(() => stores.remove());

const names = (dir: string): readonly string[] => new Backups(dir).list().map((path) => basename(path));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(5);
}

test("a backup is made at its time, when something has changed, and the oldest beyond the limit go", async () => {
  const dir = stores.newDir();
  const clock = new StepClock();
  const store = await stores.open(dir, { clock, backups: { everyMs: 3_600_000, keep: 2 } });
  const isDue = (): boolean => clock.sleeps.at(-1) === 3_600_000 && clock.sleeping > 0;
  for (let round = 0; round < 4; round++) {
    await store.commit([creation(`${round}`)]);
    const before = names(dir);
    clock.wake();
    await until(() => names(dir)[0] !== before[0] && isDue());
  }
  expect(names(dir)).toHaveLength(2);
  const last = names(dir);
  clock.wake();
  await until(isDue);
  expect(names(dir)).toEqual(last);
  expect(store.warnings).toEqual([]);
  const [newest = ""] = new Backups(dir).list();
  expect(statSync(newest).mode & 0o777).toBe(0o600);
  const db = new Database(newest, { readonly: true });
  expect(db.prepare("SELECT count(*) FROM allocs").pluck().get()).toBe(4);
  db.close();
  await stores.close(store);
  expect(readdirSync(join(dir, "backups")).sort()).toEqual([...last].sort());
}, 30_000);

test("commits are answered while a large state is copied and checked", async () => {
  const dir = stores.newDir();
  const store = await stores.open(dir, { backups: { everyMs: 0, keep: 1 } });
  const event = aTaskEvent("Started", { Message: "x".repeat(50_000) });
  for (let round = 0; round < 20; round++) {
    const Events = Array.from({ length: 40 }, () => event);
    await store.commit([creation(`${round}`), transition(`${round}`, "main", aTaskState({ Events }))]);
  }
  let isDone = false;
  const backup = store.backups.run().then(() => {
    isDone = true;
  });
  let meanwhile = 0;
  while (!isDone) await store.commit([creation(`meanwhile-${meanwhile++}`)]);
  await backup;
  expect(store.warnings).toEqual([]);
  // The thread of the backup takes longer to start than a commit to be flushed.
  expect(meanwhile).toBeGreaterThan(3);
  expect(names(dir)).toHaveLength(1);
  await stores.close(store);
}, 60_000);

test("a backup that can not be made is told, keeps the earlier ones, and is forgotten once one succeeds", async () => {
  const dir = stores.newDir();
  const store = await stores.open(dir, { backups: { everyMs: 0, keep: 3 } });
  await store.commit([creation("a")]);
  await store.backups.run();
  const [earlier = ""] = names(dir);
  const { dir: place } = new Backups(dir);
  // A file where the directory should be: nothing can be made there, by root neither.
  const kept = stores.newDir();
  mkdirSync(kept);
  renameSync(place, join(kept, "backups"));
  writeFileSync(place, "");
  await store.commit([creation("b")]);
  await store.backups.run();
  expect(store.warnings).toEqual([expect.stringContaining("the state could not be backed up: ")]);
  rmSync(place);
  renameSync(join(kept, "backups"), place);
  await store.backups.run();
  expect(store.warnings).toEqual([]);
  expect(names(dir)).toContain(earlier);
  await stores.close(store);
});

test("a copy that was broken off is no backup, and is removed with the next", async () => {
  const dir = stores.newDir();
  const store = await stores.open(dir, { backups: { everyMs: 0, keep: 3 } });
  const backups = new Backups(dir);
  backups.make();
  const draft = `${backups.newPath(0)}.new`;
  writeFileSync(draft, "half");
  expect(names(dir)).toEqual([]);
  await store.backups.run();
  expect(existsSync(draft)).toBe(false);
  await stores.close(store);
});

test("before the form of the tables changes, a copy of the old one is kept under the new version's number", async () => {
  const dir = stores.newDir();
  const store = await stores.open(dir);
  await store.commit([creation("a")]);
  await stores.close(store);
  // As an earlier allocd has left it: without the latest step, and with nothing of what that made.
  const latest = migrations.length;
  const db = new Database(join(dir, "state.db"));
  db.pragma(`user_version = ${latest - 1}`);
  db.prepare("DELETE FROM migrations WHERE version = ?").run(latest);
  db.close();
  const path = new Backups(dir).beforeVersion(latest);
  await stores.open(dir).then(
    (opened) => stores.close(opened),
    () => {},
  );
  if (latest > 1) {
    const copy = new Database(path, { readonly: true });
    expect(copy.pragma("user_version", { simple: true })).toBe(latest - 1);
    expect(copy.prepare("SELECT id FROM allocs").pluck().all()).toEqual(["a"]);
    copy.close();
  } else expect(existsSync(path)).toBe(false);
});
