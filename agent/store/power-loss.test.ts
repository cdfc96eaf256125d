import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { TemporaryStores } from "./testing/temporary-store.js";

/*
 * The power is cut by copying the disk. The store lies in a file system of its own inside a file: what the kernel has not
 * been told to write is in its memory and not in that file, so a copy of the file is what a host finds after the cut.
 * Who may not mount cuts by copying the store's files, which says less.
 */

const mayMount = process.getuid?.() === 0;

class CuttableDisk {
  readonly #root = mkdtempSync(join(tmpdir(), "allocd-power-"));
  readonly #image = join(this.#root, "image");
  readonly dir = join(this.#root, "disk");
  readonly #mounted: string[] = [];
  #cuts = 0;

  make(): void {
    if (!mayMount) {
      mkdirSync(this.dir);
      return;
    }
    writeFileSync(this.#image, "");
    truncateSync(this.#image, 16 << 20);
    if (!run("mkfs.ext4", "-q", "-F", this.#image)) throw new Error("mkfs.ext4 can not make a file system");
    this.#mount(this.#image, this.dir);
  }

  /** What is on the disk at this moment, as a file system of its own. @returns where it is mounted. */
  cut(): string {
    const copy = join(this.#root, `cut-${++this.#cuts}`);
    if (mayMount) {
      copyFileSync(this.#image, `${copy}.image`);
      this.#mount(`${copy}.image`, copy);
    } else cpSync(this.dir, copy, { recursive: true });
    return copy;
  }

  remove(): void {
    for (const dir of this.#mounted.toReversed()) run("umount", dir);
    rmSync(this.#root, { recursive: true });
  }

  #mount(image: string, dir: string): void {
    mkdirSync(dir);
    // The kernel writes nothing by itself in the time of the test.
    if (!run("mount", "-o", "loop,commit=3600", image, dir)) throw new Error(`${image} can not be mounted by a loop device`);
    this.#mounted.push(dir);
  }
}

const run = (command: string, ...args: readonly string[]): boolean => spawnSync(command, args).status === 0;

let stores: TemporaryStores;

beforeAll(() => {
  stores = new TemporaryStores();
});

afterAll(() => stores.remove());

test("the connection in use flushes every commit: WAL, synchronous FULL", async () => {
  const store = await stores.open(stores.newDir());
  expect(store.start.durability).toEqual({ journalMode: "wal", synchronous: 2 });
  await stores.close(store);
});

describe("when the power is cut", () => {
  let disk: CuttableDisk;

  beforeEach(() => {
    disk = new CuttableDisk();
    disk.make();
  });

  afterEach(() => disk.remove());

  test("every commit that was answered is on the disk, at 6 cuts among 300 commits", async () => {
    const dir = join(disk.dir, "state");
    const store = await stores.open(dir, { idle: { trimAfterMs: 20, checkpointAfterMs: 30 }, backups: { everyMs: 0, keep: 1 } });
    const answered: string[] = [];
    const commit = async (id: string): Promise<void> => {
      await store.commit([creation(id), transition(id, "main", aTaskState({ State: "running", Events: [aTaskEvent("Started")] }))]);
      answered.push(id);
    };
    for (let cut = 0; cut < 6; cut++) {
      // Some share a transaction and some come alone, so that the cut finds the WAL at all its lengths.
      for (let round = 0; round < 10; round++) await Promise.all([0, 1, 2, 3, 4].map((place) => commit(`${cut}-${round}-${place}`)));
      const expected = [...answered];
      const later = commit(`late-${cut}`);
      const found = await stores.open(join(disk.cut(), "state"), { backups: { everyMs: 0, keep: 1 } });
      await later;
      expect(found.start).toMatchObject({ repair: null, isOlder: false });
      for (const id of expected)
        expect(found.alloc(id)?.TaskStates?.main).toMatchObject({ State: "running", Events: [{ Type: "Started" }] });
      await stores.close(found);
    }
    await stores.close(store);
  }, 60_000);

  if (!mayMount) return;

  test("the copy is not kinder than a cut: what was not flushed is not in it", () => {
    const path = join(disk.dir, "careless.db");
    const db = new Database(path);
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (v)");
    db.pragma("wal_checkpoint(TRUNCATE)");
    run("sync", "-f", disk.dir);
    db.pragma("synchronous = OFF");
    db.exec("INSERT INTO t VALUES (1)");
    const after = new Database(join(disk.cut(), "careless.db"));
    expect(after.prepare("SELECT count(*) FROM t").pluck().get()).toBe(0);
    after.close();
    db.close();
  });
});
