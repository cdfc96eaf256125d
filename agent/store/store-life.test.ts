import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SqliteStore } from "./sqlite-store.js";
import { aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { TemporaryStores } from "./testing/temporary-store.js";

let stores: TemporaryStores;

beforeAll(() => {
  stores = new TemporaryStores();
});

afterAll(() => stores.remove());

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** Waits for what has no event of its own. The limit is the test's. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause();
}

const threads = (): number => readdirSync("/proc/self/task").length;
const descriptors = (): number => readdirSync("/proc/self/fd").length;

test("neither thread nor descriptor is left of stores that were closed or refused", async () => {
  const dir = stores.newDir();
  const once = async (): Promise<void> => {
    const store = await stores.open(dir);
    await store.commit([creation(`${store.index}`)]);
    await expect(stores.open(dir)).rejects.toMatchObject({ reason: "locked" });
    await Promise.all([stores.close(store), store.close()]);
  };
  await once();
  const before = { threads: threads(), descriptors: descriptors() };
  for (let round = 0; round < 10; round++) await once();
  await until(() => threads() <= before.threads && descriptors() <= before.descriptors);
  expect(readdirSync(dir).sort()).toEqual(["high-water", "lock.db", "state.db"]);
}, 30_000);

test("in idle time the WAL is written back, the high-water file follows and the history is trimmed", async () => {
  const dir = stores.newDir();
  const idle = { trimAfterMs: 10, checkpointAfterMs: 40 };
  const store = await stores.open(dir, { idle, limits: { historyRowsPerAlloc: 20 } });
  const events = Array.from({ length: 100 }, (_, place) => aTaskEvent(`${place}`));
  const index = await store.commit([creation("a"), transition("a", "main", aTaskState({ Events: events }))]);
  await until(async () => (await oldest(store)) === "80");
  await until(() => statSync(join(dir, "state.db-wal")).size === 0);
  expect(readFileSync(join(dir, "high-water"), "utf8")).toBe(`${index}\n`);
  await stores.close(store);
}, 30_000);

const oldest = async (store: SqliteStore): Promise<string | undefined> => (await store.history({ allocId: "a", limit: 1 }))[0]?.event.Type;

test("a store that never rests writes its high-water file all the same", async () => {
  const dir = stores.newDir();
  const store = await stores.open(dir, { idle: { trimAfterMs: 3_600_000, checkpointAfterMs: 3_600_000 } });
  await Promise.all(Array.from({ length: 1_001 }, (_, place) => store.commit([creation(`${place}`)])));
  expect(Number(readFileSync(join(dir, "high-water"), "utf8"))).toBeGreaterThan(1_000);
  await stores.close(store);
});
