import { existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { RotatingLog } from "./rotating-log.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-log-test-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const open = (maxFileBytes: number, maxFiles = 1000): RotatingLog => new RotatingLog({ dir, name: "t.stdout", maxFiles, maxFileBytes });
const files = (): string[] => readdirSync(dir).sort((a, b) => Number(a.split(".").at(-1)) - Number(b.split(".").at(-1)));
const all = (): Buffer => Buffer.concat(files().map((name) => readFileSync(join(dir, name))));

test("every byte is there once, in order, in files of at most the size, over any writes and restarts", () => {
  const writes = fc.array(fc.record({ text: fc.stringMatching(/^[ab\n]{0,120}$/), reopen: fc.boolean() }), { maxLength: 30 });
  fc.assert(
    fc.property(writes, fc.integer({ min: 1, max: 100 }), (steps, size) => {
      for (const name of files()) rmSync(join(dir, name));
      let log = open(size);
      for (const { text, reopen } of steps) {
        log.write(Buffer.from(text));
        if (reopen) {
          log.close();
          log = open(size);
        }
      }
      log.close();
      expect(all().toString()).toBe(steps.map((step) => step.text).join(""));
      for (const name of files()) expect(readFileSync(join(dir, name)).length).toBeLessThanOrEqual(size);
    }),
    { numRuns: 150 },
  );
});

test("a file ends at a line's end where one is near", () => {
  const log = open(100);
  for (let i = 0; i < 20; i++) log.write(Buffer.from(`line ${i} of the log\n`));
  log.close();
  for (const name of files()) expect(readFileSync(join(dir, name), "utf8").endsWith("\n")).toBe(true);
  expect(files().length).toBeGreaterThan(2);
});

test("only the newest files are kept", () => {
  const log = open(10, 3);
  for (let i = 0; i < 10; i++) log.write(Buffer.from(`number ${i}.\n`));
  log.close();
  expect(files()).toHaveLength(3);
  expect(readFileSync(join(dir, files().at(-1) ?? ""), "utf8")).toContain("9");
});

test("a link in the place of a log file is replaced, and what it points to is untouched", () => {
  const victim = join(dir, "victim");
  writeFileSync(victim, "HOST");
  symlinkSync(victim, join(dir, "t.stdout.0"));
  symlinkSync(join(dir, "new"), join(dir, "t.stdout.1"));
  linkSync(victim, join(dir, "t.stdout.2"));
  const log = open(10);
  for (let i = 0; i < 5; i++) log.write(Buffer.from(`number ${i}.\n`));
  log.close();
  expect(readFileSync(victim, "utf8")).toBe("HOST");
  expect(existsSync(join(dir, "new"))).toBe(false);
});

test("turns to a new file that fail do not count as files", () => {
  const log = open(10, 3);
  for (let i = 0; i < 3; i++) log.write(Buffer.from(`number ${i}.\n`));
  const before = files();
  // With the next file's place taken by directories the turn fails as on a full disk.
  for (let i = 3; i < 8; i++) {
    mkdirSync(join(dir, `t.stdout.${i}`));
    writeFileSync(join(dir, `t.stdout.${i}/x`), "");
  }
  for (let i = 0; i < 20; i++) expect(() => log.write(Buffer.from("lost"))).toThrow("no regular file");
  for (let i = 3; i < 8; i++) rmSync(join(dir, `t.stdout.${i}`), { recursive: true });
  expect(files()).toEqual(before);
  log.write(Buffer.from("again\n"));
  log.close();
  expect(files()).toEqual(["t.stdout.1", "t.stdout.2", "t.stdout.3"]);
});
