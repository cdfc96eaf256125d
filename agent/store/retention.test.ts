import Database from "better-sqlite3";
import { migrate } from "./migrate.js";
import { HistoryRetention } from "./retention.js";

let db: Database.Database;

beforeEach(() => {
  db = new Database(":memory:");
  db.defaultSafeIntegers(true);
  migrate(db, ":memory:");
  db.exec("INSERT INTO job_copies VALUES ('digest', '{}')");
});

afterEach(() => db.close());

function addAlloc(id: string, ...tasks: readonly string[]): void {
  db.prepare("INSERT INTO allocs VALUES (?, 1, 1, 1, 'digest', 0, '{}')").run(id);
  for (const task of tasks) db.prepare("INSERT INTO task_states (alloc_id, task, body) VALUES (?, ?, '{}')").run(id, task);
}

function addEvents(retention: HistoryRetention, alloc: string, task: string, count: number): void {
  const add = db.prepare("INSERT INTO task_events (alloc_id, task, run, time, type, body) VALUES (?, ?, 1, 1, '', '{}')");
  for (let i = 0; i < count; i++) {
    add.run(alloc, task);
    retention.added(alloc);
  }
}

/** Does all there is to do, and gives the number of steps. */
function finish(retention: HistoryRetention): number {
  let steps = 1;
  while (retention.step()) steps++;
  return steps;
}

const seqs = (alloc: string): readonly number[] =>
  db.prepare<[string], bigint>("SELECT seq FROM task_events WHERE alloc_id = ? ORDER BY seq").pluck().all(alloc).map(Number);

const upTo = (first: number, last: number): readonly number[] => Array.from({ length: last - first + 1 }, (_, place) => first + place);

test("the oldest events of an allocation go when it has too many, in several steps", () => {
  const retention = new HistoryRetention(db, { historyRows: 10_000, historyRowsPerAlloc: 100 });
  addEvents(retention, "a", "main", 1_700);
  addEvents(retention, "b", "main", 50);
  expect(finish(retention)).toBeGreaterThan(4);
  expect(seqs("a")).toEqual(upTo(1_601, 1_700));
  expect(seqs("b")).toHaveLength(50);
});

test("the oldest events of the host go when there are too many", () => {
  const retention = new HistoryRetention(db, { historyRows: 1_000, historyRowsPerAlloc: 10_000 });
  addEvents(retention, "gone", "main", 900);
  addEvents(retention, "later", "main", 1_300);
  finish(retention);
  expect(seqs("gone")).toEqual([]);
  expect(seqs("later")).toEqual(upTo(1_201, 2_200));
});

test("what is shown of a task that is still there is never dropped", () => {
  const retention = new HistoryRetention(db, { historyRows: 20, historyRowsPerAlloc: 12 });
  addAlloc("quiet", "main");
  addAlloc("chatty", "main", "side");
  addEvents(retention, "quiet", "main", 15);
  addEvents(retention, "chatty", "side", 3);
  addEvents(retention, "chatty", "main", 100);
  finish(retention);
  expect(seqs("quiet")).toEqual(upTo(6, 15));
  expect(seqs("chatty")).toEqual([...upTo(16, 18), ...upTo(109, 118)]);
});

test("when only what is shown is left, there is nothing more to do until the next event", () => {
  const retention = new HistoryRetention(db, { historyRows: 5, historyRowsPerAlloc: 100 });
  addAlloc("a", "main");
  addEvents(retention, "a", "main", 10);
  finish(retention);
  expect(retention.step()).toBe(false);
  addEvents(retention, "a", "main", 1);
  finish(retention);
  expect(seqs("a")).toEqual(upTo(2, 11));
});
