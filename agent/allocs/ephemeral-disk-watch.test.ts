import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { diskUsage } from "./disk-usage.js";
import { EphemeralDiskWatch } from "./ephemeral-disk-watch.js";
import { settle } from "./testing/fake-clock.js";
import { aTask } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

const MiB = 1024 * 1024;
const never = new AbortController().signal;

describe("the usage of a directory", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "allocd-usage-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test("is what its files take, at any depth, each once", async () => {
    const empty = (await diskUsage(dir, 100, never)).bytes;
    mkdirSync(join(dir, "a/b"), { recursive: true });
    writeFileSync(join(dir, "a/b/one"), Buffer.alloc(MiB));
    writeFileSync(join(dir, "two"), Buffer.alloc(2 * MiB));
    linkSync(join(dir, "two"), join(dir, "a/again"));
    const { bytes, isComplete } = await diskUsage(dir, 100, never);
    expect(isComplete).toBe(true);
    expect(bytes - empty).toBeGreaterThanOrEqual(3 * MiB);
    expect(bytes - empty).toBeLessThan(3.2 * MiB);
  });

  test("does not follow links", async () => {
    writeFileSync(join(dir, "big"), Buffer.alloc(4 * MiB));
    const inner = join(dir, "inner");
    mkdirSync(inner);
    symlinkSync(dir, join(inner, "up"));
    symlinkSync(join(dir, "big"), join(inner, "file"));
    expect((await diskUsage(inner, 100, never)).bytes).toBeLessThan(MiB);
  });

  test("is looked at no longer than the limit on entries says, or the agent runs", async () => {
    for (let i = 0; i < 20; i++) writeFileSync(join(dir, String(i)), "x".repeat(5_000));
    const all = await diskUsage(dir, 20, never);
    const some = await diskUsage(dir, 5, never);
    expect([all.isComplete, some.isComplete, some.bytes < all.bytes]).toEqual([true, false, true]);
    expect((await diskUsage(dir, 100, AbortSignal.abort())).isComplete).toBe(false);
  });

  test("of a directory of many levels is found without running out of descriptors", async () => {
    mkdirSync(join(dir, ...Array.from({ length: 200 }, () => "d")), { recursive: true });
    expect((await diskUsage(dir, 1_000, never)).isComplete).toBe(false);
  });
});

describe("an allocation", () => {
  let rig: Rig;
  let watch: EphemeralDiskWatch;
  let bytes: number;
  let looks: number;
  beforeEach(async () => {
    rig = new Rig();
    await rig.supervisor.start();
    bytes = looks = 0;
    watch = new EphemeralDiskWatch({
      clock: rig.clock,
      log: pino({ level: "silent" }),
      dataDir: rig.dataDir,
      running: () => rig.supervisor.running,
      emit: (id, event) => rig.supervisor.emit(id, event),
      intervalMs: 60_000,
      measure: async () => {
        looks++;
        return { bytes, isComplete: true };
      },
    });
    watch.start();
  });
  afterEach(async () => {
    await watch.stop();
    await rig.close();
  });

  const told = (id: string, task: string): number => rig.types(id, task).filter((type) => type === "Disk Resources Exceeded").length;

  test("that outgrows its disk is told so once, and again only after it did fit", async () => {
    const id = await rig.run([aTask("a"), aTask("b")]);
    bytes = 300 * MiB;
    await rig.clock.advance(60_000);
    expect(told(id, "a")).toBe(0);
    bytes = 301 * MiB;
    await rig.clock.advance(120_000);
    expect([told(id, "a"), told(id, "b")]).toEqual([1, 1]);
    expect(rig.event(id, "a", "Disk Resources Exceeded")).toMatchObject({
      DisplayMessage: "Disk usage of 301 MiB exceeds the ephemeral disk of 300 MiB",
      DiskLimit: 300 * MiB,
    });
    expect(rig.task(id, "a").State).toBe("running");
    bytes = MiB;
    await rig.clock.advance(60_000);
    bytes = 400 * MiB;
    await rig.clock.advance(60_000);
    expect(told(id, "a")).toBe(2);
  });

  test("that has ended is not looked at any more", async () => {
    await rig.run([aTask("a")]);
    await rig.clock.advance(60_000);
    await rig.exit("a", 0);
    await settle();
    const before = looks;
    await rig.clock.advance(180_000);
    expect([before, looks]).toEqual([1, 1]);
  });
});
