import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountsBelow } from "./mountinfo.js";
import { ShimFixture } from "./testing/shim-fixture.js";

const MiB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;

test("mounts are found below a directory, the latest first, whatever their names", () => {
  const line = (point: string): string => `29 1 0:26 / ${point} rw,noatime - tmpfs tmpfs rw`;
  const text = [line("/"), line("/a/b"), line("/a/b/c\\040d"), line("/a/bc"), line("/a"), ""].join("\n");
  expect(mountsBelow(text, "/a/b")).toEqual(["/a/b/c d", "/a/b"]);
  expect(mountsBelow(text, "/a/none")).toEqual([]);
});

describe("a shim", () => {
  let shim: ShimFixture;
  beforeAll(async () => {
    shim = await ShimFixture.start();
  });
  afterAll(async () => {
    expect(await shim.close()).toEqual([]);
  });

  const mounted = (): readonly string[] => mountsBelow(readFileSync("/proc/self/mountinfo", "utf8"), shim.dir);
  const directory = (...names: readonly string[]): string => {
    const path = join(shim.dir, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  };

  test("says whether it can mount", async () => {
    await shim.pid();
    expect(shim.client.canMount).toBe(isRoot);
  });

  if (!isRoot) return;

  test("mounts a tmpfs of a size for a user, once however often it is asked", async () => {
    const path = directory("task one", "secrets");
    const mount = { path, bytes: MiB, uid: 65_534, gid: 65_534, mode: 0o700 };
    await shim.client.mountTmpfs(mount);
    await shim.client.mountTmpfs(mount);
    expect(mounted()).toEqual([path]);
    expect([statSync(path).uid, statSync(path).mode & 0o777]).toEqual([65_534, 0o700]);
    writeFileSync(join(path, "fits"), Buffer.alloc(MiB / 2));
    expect(() => writeFileSync(join(path, "too much"), Buffer.alloc(MiB))).toThrow("ENOSPC");
    await shim.client.unmountBelow(join(shim.dir, "task one"));
    expect(mounted()).toEqual([]);
  });

  test("does not follow a link that a task has put in the place of its directory", async () => {
    const elsewhere = directory("elsewhere");
    const path = join(directory("task"), "secrets");
    symlinkSync(elsewhere, path);
    await expect(shim.client.mountTmpfs({ path, bytes: MiB, uid: 0, gid: 0, mode: 0o700 })).rejects.toThrow(
      /^mount .*secrets: (ENOTDIR|ELOOP)$/,
    );
    expect(mounted()).toEqual([]);
  });

  test("takes away all that is mounted below a directory, one above the other and in use, and nothing beside it", async () => {
    const [outer, beside] = [directory("alloc", "a"), directory("alloc", "b")];
    for (const path of [outer, beside]) await shim.client.mountTmpfs({ path, bytes: MiB, uid: 0, gid: 0, mode: 0o700 });
    const inner = directory("alloc", "a", "inner");
    await shim.client.mountTmpfs({ path: inner, bytes: MiB, uid: 0, gid: 0, mode: 0o700 });
    await shim.client.startRun(shim.spec("in-use", "exec sleep 1000", { cwd: inner }));
    await shim.client.unmountBelow(outer);
    expect(mounted()).toEqual([beside]);
    await shim.client.unmountBelow(beside);
    await shim.client.unmountBelow(beside);
    await shim.client.killRun("in-use");
    await shim.client.releaseRun("in-use");
  });

  test("says what the kernel said", async () => {
    const path = join(shim.dir, "none");
    await expect(shim.client.mountTmpfs({ path, bytes: MiB, uid: 0, gid: 0, mode: 0o700 })).rejects.toThrow("ENOENT");
  });
});
