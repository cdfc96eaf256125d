import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FetchScene, isRoot, nobody, rejection } from "./testing/fetch-scene.js";

let scene: FetchScene;

beforeEach(() => {
  scene = new FetchScene();
});

afterEach(() => scene.close());

describe("git", () => {
  let repository: string;
  let first: string;
  const git = (...args: readonly string[]): string =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always", ...args], {
      cwd: repository,
      stdio: ["ignore", "pipe", "ignore"],
    })
      .toString()
      .trim();

  beforeEach(() => {
    repository = join(scene.dir, "repository");
    mkdirSync(join(repository, "sub"), { recursive: true });
    git("init", "--quiet", "--initial-branch", "main");
    writeFileSync(join(repository, "f"), "one");
    writeFileSync(join(repository, "sub/g"), "sub");
    git("add", ".");
    git("commit", "--quiet", "-m", "one");
    first = git("rev-parse", "HEAD");
    git("tag", "v1");
    writeFileSync(join(repository, "f"), "two");
    git("commit", "--quiet", "-am", "two");
  });

  test.each([
    ["without a ref", {}, "two"],
    ["by a tag", { ref: "v1" }, "one"],
    ["by a branch and a depth", { ref: "main", depth: "1" }, "two"],
  ])("a repository %s", async (_what, options, expected) => {
    await scene.fetch(`git::file://${repository}`, { GetterOptions: options, owner: isRoot ? nobody : null });
    expect(scene.content("f")).toBe(expected);
  });

  test("by a commit, with and without a depth", async () => {
    git("config", "uploadpack.allowAnySHA1InWant", "true");
    await scene.fetch(`git::file://${repository}?ref=${first}`, { destination: ["t", "local", "a"] });
    await scene.fetch(`git::file://${repository}?ref=${first}&depth=1`, { destination: ["t", "local", "b"] });
    expect([scene.content("a/f"), scene.content("b/f")]).toEqual(["one", "one"]);
  });

  test("a subdirectory of it", async () => {
    await scene.fetch(`git::file://${repository}//sub`);
    expect(readdirSync(scene.local())).toEqual(["g"]);
  });

  test("hooks and filters of a repository are not run", async () => {
    const mark = join(scene.dir, "was-run");
    writeFileSync(join(repository, ".git/hooks/post-checkout"), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
    writeFileSync(join(repository, ".gitattributes"), "f filter=evil\n");
    git("add", ".");
    git("commit", "--quiet", "-m", "attributes");
    await scene.fetch(`git::file://${repository}`);
    expect(existsSync(mark)).toBe(false);
  });

  test("a submodule on the host's own file system is not followed", async () => {
    git("submodule", "--quiet", "add", `file://${repository}`, "inner");
    git("commit", "--quiet", "-am", "submodule");
    await expect(scene.fetch(`git::file://${repository}`)).rejects.toThrow(/'file' not allowed/);
  });

  test("a link out of it is refused", async () => {
    symlinkSync("/etc", join(repository, "l"));
    git("add", ".");
    git("commit", "--quiet", "-m", "link");
    await expect(scene.fetch(`git::file://${repository}`)).rejects.toThrow(/the link "l" to "\/etc" leads out/);
    expect(readdirSync(scene.local())).toEqual([]);
  });

  test.each([
    ["ref", "--upload-pack=touch /tmp/x", /ref: got/],
    ["ref", "nowhere", /exit code/],
    ["depth", "-1", /depth: got/],
    ["sshkey", "***", /sshkey: want a private key/],
  ])("the option %s=%s is refused", async (name, value, message) => {
    await expect(scene.fetch(`git::file://${repository}`, { GetterOptions: { [name]: value } })).rejects.toThrow(message);
  });

  test("a key is a file for as long as git runs, and no error tells it", async () => {
    const { privateKey } = generateKeyPairSync("ed25519", {
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    const sshkey = Buffer.from(privateKey).toString("base64");
    const error = await rejection(scene.fetch("git::ssh://u:secret@127.0.0.1:9/r.git", { GetterOptions: { sshkey } }));
    expect(error.message).not.toMatch(/secret|PRIVATE/);
  });
});

describe("files of the host", () => {
  test("a file and a directory are copied", async () => {
    mkdirSync(join(scene.dir, "from/sub"), { recursive: true });
    writeFileSync(join(scene.dir, "from/sub/f"), "deep");
    writeFileSync(join(scene.dir, "from/g"), "file");
    await scene.fetch(`file://${scene.dir}/from/g`);
    await scene.fetch(`${scene.dir}/from`, { destination: ["t", "local", "copy"] });
    await scene.fetch(`${scene.dir}/from//sub`, { destination: ["t", "local", "part"] });
    expect([scene.content("g"), scene.content("copy/sub/f"), scene.content("part/f")]).toEqual(["file", "deep", "deep"]);
  });

  test("what is not there is told", async () => {
    await expect(scene.fetch(`${scene.dir}/nothing`)).rejects.toThrow(/no such file or directory/);
  });

  (isRoot ? test : test.failing)("what the task's user may not read is not read for it", async () => {
    writeFileSync(join(scene.dir, "secret"), "s", { mode: 0o600 });
    await expect(scene.fetch(`${scene.dir}/secret`, { owner: nobody })).rejects.toThrow(/can not be read: .*Permission denied/);
    expect(existsSync(scene.local("secret"))).toBe(false);
  });
});
