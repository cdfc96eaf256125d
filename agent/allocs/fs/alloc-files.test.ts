import { appendFileSync, mkdirSync, rmSync, symlinkSync, truncateSync, utimesSync } from "node:fs";
import { drain, FsScene, heldFiles, sceneAllocId as id, never, nextPiece } from "../../../test/support/fs-scene.js";
import { waitFor } from "../../../test/support/wait.js";

let scene: FsScene;

beforeEach(() => {
  scene = new FsScene({ heartbeatMs: 600_000, maxEntries: 50 });
  scene.write("t/local/f", "hello-world");
});

afterEach(async () => {
  scene.remove();
  await waitFor("descriptors to be closed", () => heldFiles() === 0);
});

describe("ls", () => {
  test("names the entries in order, a link as the link that it is", async () => {
    symlinkSync("/etc/passwd", scene.path("t/local/a-link"));
    mkdirSync(scene.path("t/local/dir"), 0o700);
    utimesSync(scene.path("t/local/f"), 0, 1_700_000_000.25);
    expect(await scene.files.ls(id, "/t/local")).toEqual([
      { FileMode: "Lrwxrwxrwx", IsDir: false, ModTime: expect.any(String), Name: "a-link", Size: 11 },
      { FileMode: "drwx------", IsDir: true, ModTime: expect.any(String), Name: "dir", Size: expect.any(Number) },
      { FileMode: "-rw-r--r--", IsDir: false, ModTime: "2023-11-14T22:13:20.25Z", Name: "f", Size: 11 },
    ]);
    expect((await scene.files.ls(id, "/")).map(({ Name }) => Name)).toEqual(["alloc", "late", "t"]);
  });

  test("of a file is a mistake, and of too many entries is refused", async () => {
    await expect(scene.files.ls(id, "t/local/f")).rejects.toMatchObject({ status: 400, message: "open t/local/f: not a directory" });
    for (let i = 0; i < 50; i++) scene.write(`t/local/${i}`, "");
    await expect(scene.files.ls(id, "t/local")).rejects.toMatchObject({ status: 413, message: "t/local: has more than 50 entries" });
  });
});

describe("stat", () => {
  test("follows links inside, names what was asked for and says the type", async () => {
    symlinkSync("f", scene.path("t/local/near"));
    expect(await scene.files.stat(id, "t/local/near")).toMatchObject({
      Name: "near",
      Size: 11,
      IsDir: false,
      ContentType: "text/plain; charset=utf-8",
    });
    expect(await scene.files.stat(id, "t/local/")).toMatchObject({ Name: "local", IsDir: true, ContentType: "application/octet-stream" });
    expect(await scene.files.stat(id, "/")).toMatchObject({ Name: id, IsDir: true });
  });
});

describe("read", () => {
  test.each([
    [{ offset: 0 }, "hello-world"],
    [{ offset: 6, limit: 3 }, "wor"],
    [{ offset: 6, limit: 300 }, "world"],
    [{ offset: 11 }, ""],
    [{ offset: 9_000_000_000 }, ""],
  ])("%j gives %j", async (range, content) => {
    expect(await drain((await scene.files.read(id, "t/local/f", range)).source)).toBe(content);
  });

  test("ends at the size that the file had, however it grows or shrinks", async () => {
    const { source } = await scene.files.read(id, "t/local/f", { offset: 0 });
    appendFileSync(scene.path("t/local/f"), "more");
    expect(await drain(source)).toBe("hello-world");
    const cut = (await scene.files.read(id, "t/local/f", { offset: 0 })).source;
    truncateSync(scene.path("t/local/f"), 5);
    expect(await drain(cut)).toBe("hello");
  });

  test("gives a large file in pieces", async () => {
    const content = "0123456789abcdef".repeat(20_000);
    scene.write("t/local/large", content);
    const { source } = await scene.files.read(id, "t/local/large", { offset: 0 });
    const first = await source.next(never);
    expect(first?.kind === "data" && first.data.length).toBe(64 * 1024);
    expect((first?.kind === "data" ? first.data.toString() : "") + (await drain(source))).toBe(content);
  });
});

describe("stream", () => {
  const stream = (query: { follow?: boolean; origin?: "start" | "end"; offset?: number } = {}) =>
    scene.files.stream(id, "t/local/f", { follow: true, origin: "start", offset: 0, ...query });

  test.each([
    ["start", 6, "world"],
    ["start", 600, ""],
    ["end", 5, "world"],
    ["end", 600, "hello-world"],
    ["end", 0, ""],
  ] as const)("from the %s, offset %i, gives %j", async (origin, offset, content) => {
    expect(await drain(await stream({ follow: false, origin, offset }))).toBe(content);
  });

  test("follows what is appended, says that the file was cut, and ends when it is deleted", async () => {
    const source = await stream({ offset: 6 });
    expect(await nextPiece(source)).toEqual({ kind: "data", file: "t/local/f", offset: 11, data: Buffer.from("world") });
    appendFileSync(scene.path("t/local/f"), "!");
    expect(await nextPiece(source)).toEqual({ kind: "data", file: "t/local/f", offset: 12, data: Buffer.from("!") });
    truncateSync(scene.path("t/local/f"), 2);
    expect(await nextPiece(source)).toEqual({ kind: "event", file: "t/local/f", offset: 0, event: "file truncated" });
    expect(await nextPiece(source)).toMatchObject({ data: Buffer.from("he") });
    rmSync(scene.path("t/local/f"));
    expect(await nextPiece(source)).toEqual({ kind: "event", file: "t/local/f", offset: 2, event: "file deleted" });
    expect(await nextPiece(source)).toBeNull();
    await source.close();
  });

  test("waits at an offset that the file has not reached yet", async () => {
    const source = await stream({ offset: 13 });
    const piece = nextPiece(source);
    appendFileSync(scene.path("t/local/f"), "12");
    appendFileSync(scene.path("t/local/f"), "3");
    expect(await piece).toMatchObject({ kind: "data", data: Buffer.from("3") });
    await source.close();
  });
});
