import { execFileSync } from "node:child_process";
import { appendFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { drain, FsScene, heldFiles, never, nextPiece, sceneAllocId } from "../../../test/support/fs-scene.js";
import { waitFor } from "../../../test/support/wait.js";
import type { LogsQuery } from "./alloc-files.js";
import type { PieceSource } from "./piece.js";

let scene: FsScene;

beforeEach(() => {
  // No test here is saved by the slow look-again: what comes has come by a notification.
  scene = new FsScene({ heartbeatMs: 600_000 });
});

afterEach(async () => {
  const { watchers } = scene;
  scene.remove();
  expect(watchers).toBe(0);
  await waitFor("descriptors to be closed", () => heldFiles() === 0);
});

const open = (query: Partial<LogsQuery> = {}): Promise<PieceSource> =>
  scene.files.logs(sceneAllocId, { task: "t", type: "stdout", follow: false, origin: "start", offset: 0, ...query });
const read = async (query: Partial<LogsQuery> = {}): Promise<string> => drain(await open(query));
const log = (index: number | string): string => `alloc/logs/t.stdout.${index}`;
const append = (index: number, text: string): void => appendFileSync(scene.path(log(index)), text);

/** Reads on until so many bytes were there. */
async function take(source: PieceSource, count: number): Promise<string> {
  let text = "";
  while (text.length < count) {
    const piece = await nextPiece(source);
    if (piece?.kind !== "data") throw new Error(`got ${JSON.stringify(piece)} after ${JSON.stringify(text)}`);
    text += piece.data.toString("latin1");
  }
  return text;
}

test("every offset from either end gives what a single text would give", async () => {
  const parts = ["0123456", "", "789", "abcdefgh"];
  for (const [i, part] of parts.entries()) append(i * 2 + 9, part);
  const text = parts.join("");
  for (let offset = 0; offset <= text.length + 2; offset++) {
    expect(await read({ offset })).toBe(text.slice(offset));
    expect(await read({ origin: "end", offset })).toBe(text.slice(Math.max(0, text.length - offset)));
  }
});

test("a piece says its file and the offset after it", async () => {
  append(3, "abc");
  append(4, "defgh");
  const source = await open({ offset: 1 });
  expect(await source.next(never)).toEqual({ kind: "data", file: "alloc/logs/t.stdout.3", offset: 3, data: Buffer.from("bc") });
  expect(await source.next(never)).toEqual({ kind: "data", file: "alloc/logs/t.stdout.4", offset: 5, data: Buffer.from("defgh") });
  expect(await source.next(never)).toBeNull();
  await source.close();
});

test("files are taken by number, and others of the directory are left alone", async () => {
  append(10, "ten");
  append(9, "nine");
  for (const name of ["foo", "01", "1x", "-1", "99999999999", ""]) scene.write(log(name), "no");
  scene.write("alloc/logs/t.stderr.11", "no");
  scene.write("alloc/logs/tt.stdout.11", "no");
  expect(await read()).toBe("nineten");
  expect(await read({ type: "stderr" })).toBe("no");
});

test("without follow a read ends where the log ended when it was opened", async () => {
  append(0, "old");
  append(1, "new");
  const source = await open();
  append(1, "later");
  append(2, "later");
  expect(await drain(source)).toBe("oldnew");
});

test("a file that is rotated away before its turn is a gap and no error", async () => {
  for (const index of [0, 1, 2]) append(index, String(index));
  const source = await open();
  rmSync(scene.path(log(0)));
  rmSync(scene.path(log(1)));
  expect(await drain(source)).toBe("02");
});

test.each([
  ["nope", "stdout", "bad-query", 'unknown task name "nope"'],
  ["constructor", "stdout", "bad-query", 'unknown task name "constructor"'],
  ["late", "stdout", "not-found", 'task "late" not started yet. No logs available'],
  ["t", "stderr", "not-found", 'log entry for task "t" and log type "stderr" not found'],
] as const)("task %s, type %s is an error that says why", async (task, type, code, message) => {
  append(0, "x");
  await expect(open({ task, type })).rejects.toMatchObject({ code, message });
});

test("an unknown allocation and one without directories are told apart", async () => {
  await expect(scene.files.logs("nope", { task: "t", type: "stdout", follow: false, origin: "start", offset: 0 })).rejects.toMatchObject({
    code: "alloc-not-found",
    message: 'Unknown allocation "nope"',
  });
  rmSync(scene.root, { recursive: true });
  await expect(open()).rejects.toMatchObject({ status: 404, message: 'log entry for task "t" and log type "stdout" not found' });
});

describe("what a task put in the place of its log", () => {
  beforeEach(() => writeFileSync(`${scene.dataDir}/victim`, "HOSTSECRET"));

  test.each([true, false])("is passed over, follow %s", async (follow) => {
    symlinkSync(`${scene.dataDir}/victim`, scene.path(log(0)));
    append(1, "one");
    execFileSync("mkfifo", [scene.path(log(2))]);
    symlinkSync("t.stdout.1", scene.path(log(3)));
    append(4, "four");
    symlinkSync(`${scene.dataDir}/victim`, scene.path(log(5)));
    execFileSync("mkdir", [scene.path(log(6))]);
    const source = await open({ follow });
    expect(await take(source, 7)).toBe("onefour");
    await source.close();
  });

  test("alone is no log", async () => {
    symlinkSync(`${scene.dataDir}/victim`, scene.path(log(0)));
    await expect(open()).rejects.toMatchObject({ status: 404 });
  });

  test("is not followed when the directory itself is a link", async () => {
    renameSync(scene.logDir, scene.path("alloc/data/logs"));
    scene.write("alloc/data/logs/t.stdout.0", "HOSTSECRET");
    symlinkSync("data/logs", scene.logDir);
    await expect(open()).rejects.toMatchObject({ status: 404 });
  });

  test("is passed over while following, and the writer's new file of the same name is taken up", async () => {
    append(0, "before");
    const source = await open({ follow: true });
    expect(await take(source, 6)).toBe("before");
    rmSync(scene.path(log(0)));
    symlinkSync(`${scene.dataDir}/victim`, scene.path(log(0)));
    rmSync(scene.path(log(0)));
    append(0, "after");
    expect(await take(source, 5)).toBe("after");
    await source.close();
  });
});

describe("a follower", () => {
  test("is woken by a write, by a new file and by both at once", async () => {
    append(0, "a");
    const source = await open({ follow: true });
    expect(await take(source, 1)).toBe("a");
    for (let index = 0; index < 20; index++) {
      append(index, "b");
      expect(await take(source, 1)).toBe("b");
      append(index, "last");
      append(index + 1, "first");
      expect(await take(source, 9)).toBe("lastfirst");
    }
    await source.close();
  });

  test("from the end gets only what comes", async () => {
    append(0, "old");
    const source = await open({ follow: true, origin: "end" });
    append(0, "new");
    expect(await take(source, 3)).toBe("new");
    await source.close();
  });

  test("goes on after its task is dead, unless it asked for the end", async () => {
    append(0, "a");
    const forever = await open({ follow: true });
    const until = await open({ follow: "until-dead" });
    expect(await take(forever, 1)).toBe("a");
    expect(await take(until, 1)).toBe("a");
    const end = until.next(never);
    append(0, "last words");
    append(1, "in a new file");
    scene.setTask("dead");
    const first = await end;
    expect((first?.kind === "data" ? first.data.toString() : "") + (await drain(until))).toBe("last wordsin a new file");
    expect(await take(forever, 23)).toBe("last wordsin a new file");
    append(1, "!");
    expect(await take(forever, 1)).toBe("!");
    await forever.close();
  });

  test("that asked for the end has it when its task dies without a word", async () => {
    append(0, "a");
    const source = await open({ follow: "until-dead" });
    expect(await take(source, 1)).toBe("a");
    const end = source.next(never);
    await waitFor("the follower to wait", () => scene.watchers === 1);
    scene.setTask("running");
    scene.setTask("dead");
    expect(await end).toBeNull();
    await source.close();
  });

  test("of a dead task that asked for the end is a plain read", async () => {
    append(0, "a");
    append(1, "b");
    scene.setTask("dead");
    expect(await read({ follow: "until-dead" })).toBe("ab");
  });

  test("ends when its allocation is removed", async () => {
    append(0, "a");
    const source = await open({ follow: true });
    expect(await take(source, 1)).toBe("a");
    const end = source.next(never);
    rmSync(scene.root, { recursive: true });
    scene.setTask(undefined);
    expect(await end).toBeNull();
    await source.close();
  });

  test("ends at once when its client goes", async () => {
    append(0, "");
    const gone = new AbortController();
    const source = await open({ follow: true });
    const end = source.next(gone.signal);
    gone.abort();
    expect(await end).toBeNull();
    await source.close();
  });

  test("is told that its file was cut, and starts it again", async () => {
    append(0, "long line");
    const source = await open({ follow: true });
    expect(await take(source, 9)).toBe("long line");
    truncateSync(scene.path(log(0)), 0);
    expect(await nextPiece(source)).toEqual({ kind: "event", file: "alloc/logs/t.stdout.0", offset: 0, event: "file truncated" });
    append(0, "new");
    expect(await take(source, 3)).toBe("new");
    await source.close();
  });

  test("one above the limit is refused, and closing one makes room", async () => {
    append(0, "a");
    const narrow = new FsScene({ maxFollowers: 2 });
    appendFileSync(narrow.path(log(0)), "a");
    const follow = (): Promise<PieceSource> =>
      narrow.files.logs(sceneAllocId, { task: "t", type: "stdout", follow: true, origin: "start", offset: 0 });
    const first = await follow();
    // One that can not be opened takes no place.
    await expect(narrow.files.stream(sceneAllocId, "none", { follow: true, origin: "start", offset: 0 })).rejects.toMatchObject({
      status: 404,
    });
    const second = await narrow.files.stream(sceneAllocId, log(0), { follow: true, origin: "start", offset: 0 });
    await expect(follow()).rejects.toMatchObject({ status: 429, message: "follow: 2 streams are followed already, which is the limit" });
    await first.close();
    await first.close();
    const third = await follow();
    await expect(follow()).rejects.toMatchObject({ status: 429 });
    await Promise.all([second.close(), third.close()]);
    narrow.remove();
  });
});

test("a follower without news gives a sign of life, and looks again by itself", async () => {
  const quick = new FsScene({ heartbeatMs: 20 });
  appendFileSync(quick.path(log(0)), "a");
  const source = await quick.files.logs(sceneAllocId, { task: "t", type: "stdout", follow: true, origin: "end", offset: 0 });
  expect(await source.next(never)).toEqual({ kind: "idle" });
  expect(await source.next(never)).toEqual({ kind: "idle" });
  await source.close();
  quick.remove();
});

/** Writes a counting sequence of 32-bit words into files that it rotates at random, never further ahead of the reader than the log keeps. */
const writer = `
  const { openSync, writeSync, closeSync, rmSync } = require("node:fs");
  const { workerData: { path, total, read, seed } } = require("node:worker_threads");
  const done = new Int32Array(read);
  let state = seed;
  const random = (n) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % n;
  let index = 0, size = 0, written = 0, limit = 65536;
  let fd = openSync(path + index, "a");
  while (written < total) {
    while (written - Atomics.load(done, 0) > 300000) Atomics.wait(done, 0, Atomics.load(done, 0), 5);
    if (size >= limit) {
      const full = fd;
      fd = openSync(path + ++index, "a");
      closeSync(full);
      rmSync(path + (index - 8), { force: true });
      size = 0;
      limit = 65536 + random(200000);
    }
    const count = Math.min(1 + random(random(4) === 0 ? 40000 : 200), total - written);
    const bytes = Buffer.alloc(count);
    for (let i = 0; i < count; i++) bytes[i] = (written + i) >>> (8 * ((written + i) & 3));
    writeSync(fd, bytes);
    size += count; written += count;
  }
  closeSync(fd);
`;

test("a follower gets every byte of 20 MB once while the log rotates at random", async () => {
  const total = 20 * 1024 * 1024;
  append(0, "");
  const read = new Int32Array(new SharedArrayBuffer(4));
  const source = await open({ follow: true });
  const seed = Date.now() % 1_000_000;
  const worker = new Worker(writer, {
    eval: true,
    workerData: { path: scene.path("alloc/logs/t.stdout."), total, read: read.buffer, seed },
  });
  const ended = new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  let at = 0;
  const files = new Set<string>();
  while (at < total) {
    const piece = await nextPiece(source);
    if (piece?.kind !== "data") throw new Error(`seed ${seed}: got ${JSON.stringify(piece)} at ${at}`);
    files.add(piece.file);
    for (const byte of piece.data) {
      if (byte !== ((at >>> (8 * (at & 3))) & 255)) throw new Error(`seed ${seed}: wrong byte at ${at}`);
      at += 1;
    }
    Atomics.store(read, 0, at);
    Atomics.notify(read, 0);
  }
  await ended;
  expect(at).toBe(total);
  expect(files.size).toBeGreaterThan(50);
  await source.close();
}, 60_000);
