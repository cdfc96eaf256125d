import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { drain, FsScene, heldFiles, sceneAllocId } from "../../../test/support/fs-scene.js";
import { waitFor } from "../../../test/support/wait.js";

let scene: FsScene;
let outside: string;

beforeEach(() => {
  scene = new FsScene();
  outside = mkdtempSync(join(tmpdir(), "allocd-out-"));
  writeFileSync(join(outside, "f"), "OUTSIDE");
  scene.write("t/local/f", "inside");
  scene.write("t/secrets/key", "s3cret");
  scene.write("t/private/key", "s3cret");
});

afterEach(() => {
  const held = heldFiles();
  scene.remove();
  rmSync(outside, { recursive: true });
  expect(held).toBe(0);
});

const cat = async (path: string): Promise<string> => drain((await scene.files.read(sceneAllocId, path, { offset: 0 })).source);
const refusal = (path: string): Promise<{ status: number; message: string }> =>
  cat(path).then(
    (content) => Promise.reject(new Error(`${path} gave ${content}`)),
    (error) => error,
  );

test.each([
  "t/local/f",
  "/t/local/f",
  "//t/./local//f/",
  "t/local/../local/f",
  "t/../t/local/f",
  "t/local/near",
  "t/local/up",
  "t/local/chain",
  "t/dir/f",
  "t/dir/../f-of-t",
])("%s is inside and is read, through links too", async (path) => {
  symlinkSync("f", scene.path("t/local/near"));
  symlinkSync("../../t/local/f", scene.path("t/local/up"));
  symlinkSync("./up", scene.path("t/local/chain"));
  symlinkSync("local", scene.path("t/dir"));
  scene.write("t/f-of-t", "inside");
  expect(await cat(path)).toBe("inside");
});

test.each([
  "..",
  "../../../../../../etc/passwd",
  "/../../../../etc/passwd",
  "t/local/../../../../../../../etc/passwd",
  "t/local/absolute",
  "t/local/absolute-inside",
  "t/local/root/etc/passwd",
  "t/local/climbs",
  "t/local/chain",
  "t/local/dir/../../../../../etc/passwd",
])("%s leads out and is refused by every verb", async (path) => {
  symlinkSync(join(outside, "f"), scene.path("t/local/absolute"));
  symlinkSync(scene.path("t/local/f"), scene.path("t/local/absolute-inside"));
  symlinkSync("/", scene.path("t/local/root"));
  symlinkSync(`../../../../../..${outside}/f`, scene.path("t/local/climbs"));
  symlinkSync("climbs", scene.path("t/local/chain"));
  symlinkSync("../local", scene.path("t/local/dir"));
  const refused = { code: "permission-denied", message: "Path escapes the alloc directory" };
  await expect(cat(path)).rejects.toMatchObject(refused);
  await expect(scene.files.ls(sceneAllocId, path)).rejects.toMatchObject(refused);
  await expect(scene.files.stat(sceneAllocId, path)).rejects.toMatchObject(refused);
  await expect(scene.files.stream(sceneAllocId, path, { follow: true, origin: "start", offset: 0 })).rejects.toMatchObject(refused);
});

test.each([
  ["t/secrets/key", "secret"],
  ["/t/./secrets//key", "secret"],
  ["t/secrets/none", "secret"],
  ["t/secrets", "secret"],
  ["t/private/key", "private"],
  ["t/local/to-key", "secret"],
  ["t/local/to-dir/key", "secret"],
  ["t/local/../secrets/key", "secret"],
  ["alloc/data/to-key", "secret"],
  ["other/secrets/key", "secret"],
])("%s is not read", async (path, kind) => {
  symlinkSync("../secrets/key", scene.path("t/local/to-key"));
  symlinkSync("../secrets", scene.path("t/local/to-dir"));
  symlinkSync("../../t/secrets/key", scene.path("alloc/data/to-key"));
  symlinkSync("t", scene.path("other"));
  expect(await refusal(path)).toMatchObject({ status: 403, message: `Reading ${kind} file prohibited: ${path}` });
});

test("names that only look secret are read", async () => {
  mkdirSync(scene.path("t/secretsfoo"));
  mkdirSync(scene.path("alloc/secrets"));
  scene.write("t/secretsfoo/f", "inside");
  scene.write("alloc/secrets/f", "inside");
  expect(await cat("t/secretsfoo/f")).toBe("inside");
  expect(await cat("alloc/secrets/f")).toBe("inside");
});

test("secrets may be listed and looked at", async () => {
  expect((await scene.files.ls(sceneAllocId, "t/secrets")).map(({ Name }) => Name)).toEqual(["key"]);
  expect(await scene.files.stat(sceneAllocId, "t/secrets/key")).toMatchObject({ Size: 6, ContentType: "application/octet-stream" });
});

test("links in a circle, endless climbs and absurd paths end with the parameter named", async () => {
  symlinkSync("b", scene.path("t/local/a"));
  symlinkSync("a", scene.path("t/local/b"));
  expect(await refusal("t/local/a")).toMatchObject({ name: "InvalidField", path: "path" });
  expect(await refusal("t/local/../".repeat(400))).toMatchObject({ name: "InvalidField", path: "path" });
  expect(await refusal(`t/${"x/".repeat(3_000)}`)).toMatchObject({ name: "InvalidField", path: "path" });
  expect(await refusal("t/local/f\0.txt")).toMatchObject({ name: "InvalidField", path: "path" });
  expect(await refusal(`t/${"x".repeat(300)}`)).toMatchObject({ status: 400 });
});

test("what is missing is 404 and names the caller's path, not the host's", async () => {
  expect(await refusal("t/local/none")).toMatchObject({ status: 404, message: "open t/local/none: no such file or directory" });
  expect(await refusal("t/local/f/below")).toMatchObject({ status: 400, message: "open t/local/f/below: not a directory" });
  rmSync(scene.root, { recursive: true });
  expect(await refusal("t/local/f")).toMatchObject({ status: 404, message: "open /: no such file or directory" });
});

test("a FIFO, a socket and a device are never opened", async () => {
  execFileSync("mkfifo", [scene.path("t/local/fifo")]);
  const server = createServer().listen(scene.path("t/local/socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    // A FIFO that is opened without a writer would never answer.
    expect(await refusal("t/local/fifo")).toMatchObject({
      status: 400,
      message: 'file "t/local/fifo" is a named pipe, want a regular file',
    });
    expect(await refusal("t/local/socket")).toMatchObject({
      status: 400,
      message: 'file "t/local/socket" is a socket, want a regular file',
    });
    expect(await refusal("t/local")).toMatchObject({ status: 400, message: 'file "t/local" is a directory' });
    expect(await scene.files.stat(sceneAllocId, "t/local/fifo")).toMatchObject({ FileMode: expect.stringMatching(/^prw/), IsDir: false });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test("a directory that a task moves away is not a way out by ..", async () => {
  mkdirSync(scene.path("t/local/deep/er"), { recursive: true });
  renameSync(scene.path("t/local/deep"), join(outside, "deep"));
  symlinkSync(join(outside, "deep"), scene.path("t/local/deep"));
  expect(await refusal("t/local/deep/er/../../f")).toMatchObject({ status: 403 });
});

test("a hard link counts as the file that it is", async () => {
  linkSync(scene.path("t/local/f"), scene.path("t/local/hard"));
  expect(await cat("t/local/hard")).toBe("inside");
});

/** Puts a directory and links in the place of each other as fast as it can. */
const swapper = `
  const { renameSync, symlinkSync, mkdirSync, writeFileSync, rmSync } = require("node:fs");
  const { workerData: { place, outside, stop }, parentPort } = require("node:worker_threads");
  const flag = new Int32Array(stop);
  mkdirSync(place + ".dir"); writeFileSync(place + ".dir/f", "inside");
  symlinkSync(outside, place + ".link");
  parentPort.postMessage("ready");
  while (Atomics.load(flag, 0) === 0) {
    renameSync(place + ".dir", place); renameSync(place, place + ".dir");
    renameSync(place + ".link", place); renameSync(place, place + ".link");
  }
`;

test.each(["t/local/swap/f", "t/local/via/f", "t/local/swap/../swap/f"])(
  "%s never leaks what is outside while a task swaps a directory and a link",
  async (path) => {
    symlinkSync("swap", scene.path("t/local/via"));
    const stop = new SharedArrayBuffer(4);
    const worker = new Worker(swapper, { eval: true, workerData: { place: scene.path("t/local/swap"), outside, stop } });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    await new Promise((resolve) => worker.once("message", resolve));
    const seen = { inside: 0, escape: 0, missing: 0 };
    try {
      for (let i = 0; i < 1_000 || ((seen.inside === 0 || seen.escape === 0) && i < 20_000); i++) {
        const result = await cat(path).catch((error) => error.status as number);
        if (result === "inside") seen.inside += 1;
        else if (result === 403) seen.escape += 1;
        else if (result === 404) seen.missing += 1;
        else throw new Error(`leaked or failed: ${result}`);
      }
    } finally {
      Atomics.store(new Int32Array(stop), 0, 1);
      await ended;
    }
    // The race was really run, or the test proves nothing.
    expect(seen.inside).toBeGreaterThan(0);
    expect(seen.escape).toBeGreaterThan(0);
    await waitFor("descriptors to be closed", () => heldFiles() === 0);
  },
  60_000,
);
