import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EphemeralDisk } from "../model/job.js";
import { aTask } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

let rig: Rig;

beforeEach(async () => {
  rig = new Rig();
  await rig.supervisor.start();
});

afterEach(() => rig.close());

const at = (id: string, ...path: readonly string[]): string => join(rig.dataDir, "alloc", id, ...path);
const disk = (more: Partial<EphemeralDisk>): EphemeralDisk => ({ Sticky: false, Migrate: false, SizeMB: 300, ...more });

/** An allocation that has left data and ended. */
async function before(EphemeralDisk: EphemeralDisk, leave: (id: string) => void = () => {}): Promise<string> {
  const id = await rig.run([aTask("t")], { group: { EphemeralDisk } });
  writeFileSync(at(id, "alloc/data/shared"), "s");
  writeFileSync(at(id, "t/local/own"), "o");
  writeFileSync(at(id, "alloc/logs/log"), "l");
  leave(id);
  await rig.exit("t", 0);
  return id;
}

async function after(PreviousAllocation: string, EphemeralDisk: EphemeralDisk): Promise<string> {
  const id = await rig.run([aTask("t")], { group: { EphemeralDisk }, alloc: { PreviousAllocation } });
  await rig.until("the replacement to run", () => rig.task(id, "t").State === "running");
  return id;
}

test.each([{ Sticky: true }, { Migrate: true }, { Sticky: true, Migrate: true }])(
  "%j moves data and local, and nothing else",
  async (kind) => {
    const old = await before(disk(kind));
    const id = await after(old, disk(kind));
    expect([readFileSync(at(id, "alloc/data/shared"), "utf8"), readFileSync(at(id, "t/local/own"), "utf8")]).toEqual(["s", "o"]);
    expect([existsSync(at(id, "alloc/logs/log")), existsSync(at(old, "alloc/logs/log"))]).toEqual([false, true]);
    expect(lstatSync(at(id, "t/secrets")).mode & 0o777).toBe(0o700);
  },
);

test("another disk begins empty", async () => {
  const id = await after(await before(disk({})), disk({}));
  expect([existsSync(at(id, "alloc/data/shared")), existsSync(at(id, "t/local/own"))]).toEqual([false, false]);
});

test("what is gone is a loss, and no reason not to run", async () => {
  const old = await before(disk({ Sticky: true }));
  rmSync(at(old), { recursive: true });
  const id = await after(old, disk({ Sticky: true }));
  expect(lstatSync(at(id, "t/local")).isDirectory()).toBe(true);
});

test("a link in the place of the data is left where it is", async () => {
  const target = join(rig.dataDir, "elsewhere");
  mkdirSync(target);
  const old = await before(disk({ Sticky: true }), (id) => {
    rmSync(at(id, "t/local"), { recursive: true });
    symlinkSync(target, at(id, "t/local"));
  });
  const id = await after(old, disk({ Sticky: true }));
  expect(lstatSync(at(id, "t/local")).isSymbolicLink()).toBe(false);
});

test("an agent that was replaced while it waited moves the data all the same", async () => {
  const old = await rig.run([aTask("t")], { group: { EphemeralDisk: disk({ Sticky: true }) } });
  writeFileSync(at(old, "alloc/data/shared"), "s");
  const id = await rig.run([aTask("u")], { group: { EphemeralDisk: disk({ Sticky: true }) }, alloc: { PreviousAllocation: old } });
  await rig.replaceAgent();
  await rig.exit("t", 0);
  await rig.until("the replacement to run", () => rig.task(id, "u").State === "running");
  expect(readFileSync(at(id, "alloc/data/shared"), "utf8")).toBe("s");
});
