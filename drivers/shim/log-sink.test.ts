import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { LogSink } from "./log-sink.js";
import type { OutputLoss } from "./protocol.js";
import { RotatingLog } from "./rotating-log.js";

/** A log that fails when it is told to, and takes a part of what it is given before it does. */
class FragileLog {
  written = 0;
  takes = Number.POSITIVE_INFINITY;
  isClosed = false;
  write(bytes: Buffer): void {
    const taken = Math.min(this.takes, bytes.length);
    this.written += taken;
    if (taken < bytes.length) throw new Error("ENOSPC: no space left on device, write");
  }
  close(): void {
    this.isClosed = true;
  }
}

const lines = (count: number): Buffer => Buffer.alloc(count, "x");

test("what is lost is counted to the byte, told at its beginning and at the end, and once", async () => {
  const log = new FragileLog();
  const told: OutputLoss[] = [];
  const sink = new LogSink(
    () => log as unknown as RotatingLog,
    (loss) => told.push(loss),
  );
  sink.write(lines(100));
  log.takes = 30;
  sink.write(lines(100));
  log.takes = 0;
  for (let count = 0; count < 50; count++) sink.write(lines(10));
  expect(told).toEqual([{ bytes: 0, reason: expect.stringContaining("ENOSPC"), isOver: false }]);
  log.takes = Number.POSITIVE_INFINITY;
  sink.write(lines(100));
  for (const deadline = Date.now() + 20_000; told.length < 2 && Date.now() < deadline; ) await pause(20);
  expect(told.slice(1)).toEqual([{ bytes: 70 + 500, reason: expect.stringContaining("ENOSPC"), isOver: true }]);
  sink.close();
  expect([told.length, log.isClosed]).toEqual([2, true]);
}, 30_000);

test("a log that can not even be opened is tried again, and the end of the run tells what was lost", () => {
  const log = new FragileLog();
  let opens = 0;
  const told: OutputLoss[] = [];
  const sink = new LogSink(
    () => {
      if (++opens < 3) throw new Error("EROFS: read-only file system, open");
      return log as unknown as RotatingLog;
    },
    (loss) => told.push(loss),
  );
  sink.write(Buffer.alloc(0));
  sink.write(lines(5));
  sink.write(lines(7));
  sink.close();
  expect([opens, log.written]).toEqual([3, 7]);
  expect(told.map(({ bytes, isOver }) => [bytes, isOver])).toEqual([
    [0, false],
    [5, true],
  ]);
});

if (process.getuid?.() === 0) {
  test("on a real disk that was full: what is in the files and what was counted as lost are all that was written", () => {
    const root = mkdtempSync(join(tmpdir(), "allocd-sink-"));
    const dir = join(root, "disk");
    mkdirSync(dir);
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", dir]).status).toBe(0);
    try {
      const told: OutputLoss[] = [];
      const sink = new LogSink(
        () => new RotatingLog({ dir, name: "main.stdout", maxFiles: 3, maxFileBytes: 100_000 }),
        (loss) => told.push(loss),
      );
      sink.write(lines(50_001));
      const { bavail, bsize } = statfsSync(dir);
      writeFileSync(join(dir, "ballast"), Buffer.alloc(bavail * bsize));
      for (let count = 0; count < 20; count++) sink.write(lines(9_999));
      expect(told).toHaveLength(1);
      rmSync(join(dir, "ballast"));
      sink.write(Buffer.from("goes on\n"));
      sink.close();
      const files = readdirSync(dir).sort();
      const kept = files.map((name) => readFileSync(join(dir, name), "utf8")).join("");
      expect(kept.endsWith("goes on\n")).toBe(true);
      expect(told[1]?.bytes).toBeGreaterThan(0);
      expect(kept.length + (told[1]?.bytes ?? 0)).toBe(50_001 + 20 * 9_999 + 8);
    } finally {
      spawnSync("umount", [dir]);
      rmSync(root, { recursive: true });
    }
  });
}
