import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { exportState } from "./export-state.js";
import { importState } from "./import-state.js";
import { type RandomChange, randomChange } from "./testing/random-changes.js";
import { aJob, aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { TemporaryStores } from "./testing/temporary-store.js";

let stores: TemporaryStores;
let root: string;
let file: string;
let count = 0;

beforeAll(() => {
  stores = new TemporaryStores();
  root = mkdtempSync(join(tmpdir(), "allocd-transfer-"));
  file = join(root, "state.jsonl");
});

afterAll(async () => {
  await stores.remove();
  rmSync(root, { recursive: true });
});

const newDir = (): string => join(root, `host-${++count}`);
const stateOf = (dataDir: string): string => join(dataDir, "state");

/** A data directory with a state in it. */
async function aHost(dataDir: string): Promise<void> {
  mkdirSync(dataDir);
  const store = await stores.open(stateOf(dataDir));
  const huge = 123_456_789_012_345_678_901_234n;
  await store.commit([
    { kind: "job", job: aJob(), spec: true },
    creation("a", { SourceIndex: 2n ** 63n - 1n, Job: aJob({ Opaque: { huge } }) }),
    transition("a", "main", aTaskState({ Events: Array.from({ length: 15 }, (_, place) => aTaskEvent(`${place}`)) })),
    { kind: "task-handle", allocId: "a", task: "main", handle: { run: 3, driver: { start: 2n ** 60n }, hooksDone: ["x"] } },
  ]);
  await stores.close(store);
  writeFileSync(join(dataDir, "node-id"), "11111111-2222-3333-4444-555555555555\n", { mode: 0o600 });
}

/** What a database holds, table by table. */
function contentOf(dataDir: string): unknown {
  const db = new Database(join(stateOf(dataDir), "state.db"), { readonly: true });
  db.defaultSafeIntegers(true);
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all() as string[];
  const content = tables.map((table) => [table, db.prepare(`SELECT * FROM "${table}"`).raw().all()]);
  db.close();
  return content;
}

test("what is exported and imported is the same, row by row, and the agent goes on from there", async () => {
  const [from, to] = [newDir(), newDir()];
  await aHost(from);
  const summary = exportState(from, file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await importState(to, file)).toEqual(summary);
  expect(contentOf(to)).toEqual(contentOf(from));
  expect(readFileSync(join(to, "node-id"), "utf8")).toBe("11111111-2222-3333-4444-555555555555\n");
  const [before, after] = [await stores.open(stateOf(from)), await stores.open(stateOf(to))];
  expect(after.snapshot()).toEqual(before.snapshot());
  expect(await after.history({ limit: 100 })).toEqual(await before.history({ limit: 100 }));
  expect([after.index, after.start.isOlder, after.start.repair]).toEqual([before.index, false, null]);
  expect(await after.commit([creation("b")])).toBe(before.index + 1);
  await stores.close(before);
  await stores.close(after);
});

test("any state comes back as it was", async () => {
  const check = async (changes: readonly RandomChange[]): Promise<void> => {
    const [from, to] = [newDir(), newDir()];
    mkdirSync(from);
    const store = await stores.open(stateOf(from));
    for (const change of changes) await store.commit([change.make(store)]).catch(() => {});
    // While the agent runs: what was answered is in it.
    exportState(from, file);
    await importState(to, file);
    const copy = await stores.open(stateOf(to));
    expect(copy.snapshot()).toEqual(store.snapshot());
    await stores.close(copy);
    await stores.close(store);
  };
  await fc.assert(fc.asyncProperty(fc.array(randomChange, { minLength: 1, maxLength: 30 }), check), { numRuns: 8 });
}, 120_000);

test("tables that this version has no word for are in it", async () => {
  const from = newDir();
  await aHost(from);
  const db = new Database(join(stateOf(from), "state.db"));
  db.exec("CREATE TABLE later (id INTEGER PRIMARY KEY, body BLOB, name TEXT) STRICT");
  db.prepare("INSERT INTO later VALUES (?, ?, ?)").run(9_007_199_254_740_993n, Buffer.from([0, 255, 10]), 'a "name"\n');
  db.close();
  exportState(from, file);
  expect(readFileSync(file, "utf8")).toContain(
    '{"table":"later","columns":["id","body","name"]}\n[9007199254740993,{"base64":"AP8K"},"a \\"name\\"\\n"]\n',
  );
});

describe("an import is refused, and leaves nothing,", () => {
  let from: string;
  let good: string;
  beforeAll(async () => {
    from = newDir();
    await aHost(from);
    exportState(from, file);
    good = readFileSync(file, "utf8");
  });

  const refusal = async (text: string): Promise<string> => {
    writeFileSync(file, text);
    const to = newDir();
    const error = await importState(to, file).catch((refused: Error) => refused);
    expect(existsSync(to)).toBe(false);
    return (error as Error).message;
  };

  test.each([
    ["of a file that was cut", (text: string) => text.slice(0, text.length / 2), "it has no end"],
    ["of a file that lost its last line", (text: string) => `${text.split("\n").slice(0, -2).join("\n")}\n`, "it has no end"],
    ["of a file in which a letter is another one", (text: string) => text.replace("pending", "pendinG"), "checksum"],
    ["of a file with a line less", (text: string) => text.replace(/\["a".*\n/, ""), "checksum"],
    ["of something else", () => '{"name":"allocd"}\n', "no state that allocd has exported"],
    ["of no JSON", () => "hello\n", "line 1 is no JSON"],
    ["of nothing", () => "", "it has no end"],
    ["of another format", (text: string) => text.replace('"format":1', '"format":2'), "its format is 2, this allocd knows 1"],
    ["of a later version", (text: string) => text.replace(/"schema":\d+/, '"schema":999'), "its tables are of version 999"],
  ])("%s", async (_, change, message) => {
    expect(await refusal(change(good))).toContain(message);
  });

  test("into a directory that is not empty, by the names of what is there", async () => {
    writeFileSync(file, good);
    const to = newDir();
    mkdirSync(to);
    writeFileSync(join(to, "node-id"), "mine");
    await expect(importState(to, file)).rejects.toThrow(`${to} holds node-id; a state is imported into an empty one only`);
    expect(readdirSync(to)).toEqual(["node-id"]);
  });

  test("of a file that is not there", async () => {
    await expect(importState(newDir(), join(root, "missing"))).rejects.toThrow("ENOENT");
  });
});

test("an export of a directory without a state, or to a place that can not be written, says so and leaves nothing", async () => {
  expect(() => exportState(newDir(), file)).toThrow("there is no state");
  const from = newDir();
  await aHost(from);
  expect(() => exportState(from, join(root, "no", "such", "place"))).toThrow("ENOENT");
  expect(readdirSync(root).filter((name) => name.endsWith(".new"))).toEqual([]);
});
