import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { FakeClock } from "../allocs/testing/fake-clock.js";
import { DiskWatch } from "./disk-watch.js";

let root: string;
let dir: string;
let clock: FakeClock;
let watch: DiskWatch;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "allocd-watch-"));
  dir = join(root, "alloc");
  clock = new FakeClock();
  watch = new DiskWatch({ dir, clock, log: pino({ level: "silent" }) });
});

afterEach(() => {
  watch.stop();
  rmSync(root, { recursive: true, force: true });
});

test("a directory that takes writes has no fault, and nothing is left in it", async () => {
  await watch.look();
  expect([watch.fault, readdirSync(dir)]).toEqual([null, []]);
});

test("what can not be written to is told with the reason, until it can", async () => {
  writeFileSync(dir, "no directory");
  await watch.look();
  expect(watch.fault).toMatch(/^.*alloc: E(EXIST|NOTDIR)/);
  rmSync(dir);
  await watch.look();
  expect(watch.fault).toBeNull();
});

test("it looks by itself, more often while there is a fault, and at once when somebody suspects one", async () => {
  const until = async (holds: () => boolean, passMs = 0): Promise<void> => {
    while (!holds()) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (passMs > 0) await clock.advance(passMs);
    }
  };
  watch.start();
  await until(() => existsSync(dir));
  await watch.look();
  rmSync(dir, { recursive: true });
  writeFileSync(dir, "");
  watch.suspect();
  await until(() => watch.fault !== null);
  rmSync(dir);
  const before = clock.monotonicMs();
  await until(() => watch.fault === null, 100);
  expect(clock.monotonicMs() - before).toBeLessThan(15_000);
});

if (process.getuid?.() === 0) {
  test.each([
    [
      "full",
      () => writeFileSync(join(dir, "ballast"), Buffer.alloc(statfsSync(dir).bavail * statfsSync(dir).bsize)),
      "ENOSPC",
      () => rmSync(join(dir, "ballast")),
    ],
    ["read-only", () => spawnSync("mount", ["-o", "remount,ro", dir]), "EROFS", () => spawnSync("mount", ["-o", "remount,rw", dir])],
  ])("a real disk that is %s, and then is not", async (_, harm, code, heal) => {
    mkdirSync(dir);
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", dir]).status).toBe(0);
    try {
      await watch.look();
      expect(watch.fault).toBeNull();
      harm();
      await watch.look();
      expect(watch.fault).toContain(code);
      heal();
      await watch.look();
      expect(watch.fault).toBeNull();
    } finally {
      spawnSync("umount", [dir]);
    }
  });
}
