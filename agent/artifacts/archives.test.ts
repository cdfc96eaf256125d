import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { tarOf, zipOf } from "./testing/archives.js";
import { FetchScene, isRoot, nobody, rejection } from "./testing/fetch-scene.js";

let scene: FetchScene;

beforeEach(() => {
  scene = new FetchScene();
});

afterEach(() => scene.close());

describe("archives", () => {
  const honest = tarOf([
    { name: "bin/", type: "5", mode: 0o750 },
    { name: "bin/run", content: "#!/bin/sh\n", mode: 0o4755 },
    { name: "bin/again", type: "1", link: "bin/run" },
    { name: "link", type: "2", link: "bin/run" },
    { name: "deep/down/file", content: "x" },
  ]);

  test.each([
    ["tar", (bytes: Buffer) => bytes],
    ["tar.gz", gzipSync],
    ["tgz", gzipSync],
    ["tar.xz", (bytes: Buffer) => execFileSync("xz", ["-c"], { input: bytes })],
    ["tar.zst", (bytes: Buffer) => execFileSync("zstd", ["-c", "-q"], { input: bytes })],
    ["tar.bz2", (bytes: Buffer) => execFileSync("bzip2", ["-c"], { input: bytes })],
  ])("%s", async (ending, pack) => {
    const url = await scene.serveBytes(pack(honest));
    await scene.fetch(`${url}/a.${ending}`);
    expect(scene.content("bin/run")).toBe("#!/bin/sh\n");
    // No archive gives anybody the rights of a file's owner.
    expect(statSync(scene.local("bin/run")).mode & 0o7777).toBe(0o755);
    expect(statSync(scene.local("bin")).mode & 0o777).toBe(0o750);
    expect([readlinkSync(scene.local("link")), scene.content("link"), scene.content("bin/again"), scene.content("deep/down/file")]).toEqual(
      ["bin/run", "#!/bin/sh\n", "#!/bin/sh\n", "x"],
    );
  });

  test("zip, with links and rights", async () => {
    const zip = zipOf([
      { name: "d/", mode: 0o040755 },
      { name: "d/run", content: "go", mode: 0o100755 },
      { name: "link", content: "d/run", mode: 0o120777 },
    ]);
    const url = await scene.serveBytes(zip);
    await scene.fetch(`${url}/a.zip`);
    expect([scene.content("link"), statSync(scene.local("d/run")).mode & 0o777]).toEqual(["go", 0o755]);
  });

  test("one compressed file loses its ending", async () => {
    const url = await scene.serveBytes(gzipSync("text"));
    await scene.fetch(`${url}/a.txt.gz`);
    await scene.fetch(`${url}/a.gz`, { GetterMode: "file", destination: ["t", "local", "named"] });
    await scene.fetch(`${url}/raw.gz?archive=false`);
    expect([scene.content("a.txt"), scene.content("named"), readFileSync(scene.local("raw.gz")).subarray(0, 2)]).toEqual([
      "text",
      "text",
      Buffer.from([0x1f, 0x8b]),
    ]);
  });

  test("only the subdirectory is taken when one is asked for", async () => {
    const url = await scene.serveBytes(honest);
    await scene.fetch(`${url}/a.tar//deep/down`);
    expect(readdirSync(scene.local())).toEqual(["file"]);
    await expect(scene.fetch(`${url}/a.tar//nowhere`)).rejects.toThrow(/has no subdirectory "nowhere"/);
    await expect(scene.fetch(`${url}/a.tar//link/x`)).rejects.toThrow(/has no subdirectory/);
  });

  test("what is there already stays, and files of the same name are replaced", async () => {
    mkdirSync(scene.local("bin"));
    writeFileSync(scene.local("bin/other"), "mine");
    writeFileSync(scene.local("bin/run"), "old");
    const url = await scene.serveBytes(honest);
    await scene.fetch(`${url}/a.tar`);
    expect([scene.content("bin/other"), scene.content("bin/run")]).toEqual(["mine", "#!/bin/sh\n"]);
  });

  const hostile: readonly (readonly [string, Buffer, RegExp])[] = [
    ["a name that goes up", tarOf([{ name: "../../evil", content: "x" }]), /leads out of it/],
    ["an absolute name", tarOf([{ name: "/tmp/evil", content: "x" }]), /want a relative path/],
    ["a link that goes up", tarOf([{ name: "l", type: "2", link: "../../.." }]), /leads out of the artifact/],
    ["an absolute link", tarOf([{ name: "l", type: "2", link: "/etc" }]), /leads out of the artifact/],
    [
      "a file through a link",
      tarOf([
        { name: "d/l", type: "2", link: "../x" },
        { name: "d/l/f", content: "x" },
      ]),
      /below "d\/l", which is no directory/,
    ],
    ["a hard link to the outside", tarOf([{ name: "l", type: "1", link: "../../../etc/passwd" }]), /leads out of it/],
    ["a hard link to what is not in it", tarOf([{ name: "l", type: "1", link: "nothing" }]), /which is no file of it/],
    ["a device", tarOf([{ name: "null", type: "3" }]), /of type CharacterDevice/],
    ["a FIFO", tarOf([{ name: "pipe", type: "6" }]), /of type FIFO/],
    ["too many entries", tarOf(Array.from({ length: 60 }, (_, i) => ({ name: `f${i}`, content: "" }))), /more than 50 entries/],
    ["a size that it has not", tarOf([{ name: "f", content: "x", size: 5_000 }]), /damaged/],
    ["noise", Buffer.alloc(4_096, "noise"), /damaged/],
    ["nothing", Buffer.alloc(0), /empty/],
  ];

  test.each(hostile)("a tar archive with %s is refused", async (_what, bytes, message) => {
    const url = await scene.serveBytes(bytes);
    const error = await rejection(scene.fetch(`${url}/a.tar`));
    expect(error.message).toMatch(message);
    expect(readdirSync(scene.local())).toEqual([]);
  });

  test.each([
    ["a name that goes up", zipOf([{ name: "../evil", content: "x" }]), /invalid relative path|leads out/],
    ["an absolute name", zipOf([{ name: "/evil", content: "x" }]), /absolute path|relative path/],
    ["a backslash", zipOf([{ name: "..\\evil", content: "x" }]), /invalid characters/],
    ["a link that goes up", zipOf([{ name: "l", content: "../../x", mode: 0o120777 }]), /leads out of the artifact/],
    ["a device", zipOf([{ name: "d", mode: 0o020666 }]), /no file, directory or link/],
    ["more bytes than it says", zipOf([{ name: "f", content: "x".repeat(1_000), size: 10 }]), /too many bytes|can not be read/],
    ["noise", Buffer.alloc(4_096, "noise"), /can not be read/],
  ])("a zip archive with %s is refused", async (_what, bytes, message) => {
    const url = await scene.serveBytes(bytes);
    expect((await rejection(scene.fetch(`${url}/a.zip`))).message).toMatch(message);
    expect(readdirSync(scene.local())).toEqual([]);
  });

  test("a bomb is refused before it has gone off", async () => {
    const url = await scene.serveBytes(gzipSync(tarOf([{ name: "zeros", content: Buffer.alloc(70 << 20) }]), { level: 1 }));
    const error = await rejection(scene.fetch(`${url}/a.tar.gz`, { options: { maxRatio: 100 } }));
    expect([error.remedy, error.message]).toEqual(["none", "the archive unpacks to more than 100 times its size"]);
    const second = await rejection(scene.fetch(`${url}/a.tar.gz`, { options: { maxUnpackedBytes: 1_000 } }));
    expect(second.message).toBe("the archive unpacks to more than 1000 bytes");
  }, 60_000);

  test.each(["gz", "xz", "zst", "bz2"])("damaged %s data are told as such", async (ending) => {
    const url = await scene.serveBytes(Buffer.alloc(2_000, "no archive"));
    expect((await rejection(scene.fetch(`${url}/a.tar.${ending}`))).message).toMatch(/damaged/);
  });

  test("a mode that does not fit is refused", async () => {
    const url = await scene.serveBytes(honest);
    await expect(scene.fetch(`${url}/a.tar`, { GetterMode: "file" })).rejects.toThrow(/GetterMode: got "file"/);
    await expect(scene.fetch(`${url}/a.txt`, { GetterMode: "dir" })).rejects.toThrow(/GetterMode: got "dir"/);
  });
});

describe("the destination", () => {
  test("a link in its place leads nowhere", async () => {
    rmSync(scene.local(), { recursive: true });
    mkdirSync(join(scene.dir, "outside"));
    symlinkSync(join(scene.dir, "outside"), scene.local());
    const url = await scene.serveBytes("x");
    await expect(scene.fetch(`${url}/a`)).rejects.toThrow(/local is a link, want a directory/);
    expect(readdirSync(join(scene.dir, "outside"))).toEqual([]);
  });

  test("a link in the place of a directory of the artifact is replaced and not followed", async () => {
    mkdirSync(join(scene.dir, "outside"));
    symlinkSync(join(scene.dir, "outside"), scene.local("d"));
    const url = await scene.serveBytes(tarOf([{ name: "d/f", content: "x" }]));
    await expect(scene.fetch(`${url}/a.tar`)).rejects.toThrow(/d is there already/);
    expect(readdirSync(join(scene.dir, "outside"))).toEqual([]);
  });

  (isRoot ? test : test.failing)("everything is the task's user's", async () => {
    const url = await scene.serveBytes(
      tarOf([
        { name: "d/f", content: "x" },
        { name: "l", type: "2", link: "d/f" },
      ]),
    );
    await scene.fetch(`${url}/a.tar`, { owner: nobody, destination: ["t", "local", "new"] });
    for (const name of ["new", "new/d", "new/d/f"]) expect(statSync(scene.local(name)).uid).toBe(nobody.uid);
    await scene.fetch(`${url}/plain`, { owner: nobody });
    expect(statSync(scene.local("plain")).uid).toBe(nobody.uid);
  });
});

test("the programs that unpacking needs are on this host", () => {
  for (const program of ["xz", "zstd", "bzip2", "git", "tar"]) expect(spawnSync(program, ["--version"]).status).toBe(0);
});
