import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeBelow } from "./write-below.js";

let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "allocd-below-"));
  dir = join(root, "local");
  mkdirSync(dir);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("a file is written with the directories on the way, and replaces what was there", () => {
  writeBelow(dir, "a/b/file", "one", 0o640);
  writeBelow(dir, "./a//b/file", Buffer.from("two"), 0o600);
  expect(readFileSync(join(dir, "a/b/file"), "utf8")).toBe("two");
  expect(lstatSync(join(dir, "a/b/file")).mode & 0o777).toBe(0o600);
});

test.each(["", ".", "..", "../x", "a/../../x", "a/.."])("path %j is refused", (path) => {
  expect(() => writeBelow(dir, path, "x", 0o600)).toThrow("is no path below a directory");
});

test("no link leads out: one in place of a directory is refused, one in place of the file is replaced", () => {
  const outside = join(root, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "file"), "safe");
  symlinkSync(outside, join(dir, "way"));
  symlinkSync(join(outside, "file"), join(dir, "link"));
  expect(() => writeBelow(dir, "way/file", "evil", 0o600)).toThrow(/ELOOP|ENOTDIR/);
  writeBelow(dir, "link", "mine", 0o600);
  expect(readFileSync(join(outside, "file"), "utf8")).toBe("safe");
  expect(lstatSync(join(dir, "link")).isFile()).toBe(true);
});
