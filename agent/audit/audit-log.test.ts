import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { SystemClock } from "../clock.js";
import { AuditLog, type AuditOptions, rotatedFiles } from "./audit-log.js";
import { verifyChain } from "./verify.js";

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-audit-"));
  path = join(dir, "audit", "audit.log");
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (options: Partial<AuditOptions> = {}): AuditLog =>
  new AuditLog({
    clock: new SystemClock(),
    log: pino({ level: "silent" }),
    options: { path, guarantee: "enforced", rotateBytes: 1 << 20, maxFiles: 100, ...options },
  });

const lines = (): string[] => readFileSync(path, "utf8").trimEnd().split("\n");
const all = (): readonly string[] => [...rotatedFiles(path), path];

async function filled(count: number, options: Partial<AuditOptions> = {}): Promise<void> {
  const log = open(options);
  for (let n = 0; n < count; n++) await log.record({ what: "change", n });
  await log.close();
}

test("lines are numbered and chained, and only the agent's user can read them", async () => {
  await filled(3);
  const read = lines().map((line) => JSON.parse(line) as { seq: number; n: number; time: string; prev: string });
  expect(read.map(({ seq, n }) => [seq, n])).toEqual([
    [1, 0],
    [2, 1],
    [3, 2],
  ]);
  expect(read[0]?.prev).toBe("0".repeat(64));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await verifyChain([path])).toMatchObject({ lines: 3, first: 1, last: { seq: 3 } });
});

test("the chain goes on over a restart and over rotations, of which the oldest are removed", async () => {
  await filled(5, { rotateBytes: 300 });
  await filled(5, { rotateBytes: 300 });
  expect(all().length).toBeGreaterThan(3);
  expect(await verifyChain(all())).toMatchObject({ lines: 10, first: 1, last: { seq: 10 } });
  await filled(20, { rotateBytes: 300, maxFiles: 2 });
  expect(all()).toHaveLength(3);
  const kept = await verifyChain(all());
  expect(kept.last.seq).toBe(30);
  expect(kept.first).toBeGreaterThan(1);
});

test("records that come together are written in their order", async () => {
  const log = open();
  await Promise.all(Array.from({ length: 500 }, (_, n) => log.record({ n })));
  await log.close();
  expect(lines().map((line) => (JSON.parse(line) as { n: number }).n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
  expect((await verifyChain([path])).lines).toBe(500);
});

test("half a line, as a crash leaves it, is cut off and the chain goes on", async () => {
  await filled(2);
  appendFileSync(path, '{"seq":3,"time":');
  await filled(1);
  expect(await verifyChain([path])).toMatchObject({ lines: 3, last: { seq: 3 } });
});

test("a long line at the end is found, and an empty file takes up after the one put aside", async () => {
  const log = open();
  await log.record({ text: "x".repeat(300_000) });
  await log.close();
  await filled(1);
  expect((await verifyChain([path])).last.seq).toBe(2);
  await filled(1, { rotateBytes: 1 });
  truncateSync(path, 0);
  await filled(1);
  expect(JSON.parse(lines()[0] ?? "")).toMatchObject({ seq: 3 });
});

test.each([
  [
    "a changed member",
    (text: string) => text.replace('"n":1', '"n":7'),
    /audit\.log:3: the line before it, number 2, is not as it was written/,
  ],
  ["a line that is gone", (text: string) => text.split("\n").toSpliced(1, 1).join("\n"), /:2: got number 3, want 2/],
  ["lines in another order", (text: string) => [1, 0, 2].map((i) => text.split("\n")[i]).join("\n"), /:2: got number 1, want 3/],
  ["a first line that is not the first", (text: string) => text.replace('"prev":"0', '"prev":"1'), /:1: the line before it, number 0/],
  ["a line of something else", (text: string) => `${text}hello\n`, /:5: not a line of an audit log/],
])("%s is found out", async (_what, change, message) => {
  await filled(4);
  writeFileSync(path, change(readFileSync(path, "utf8")));
  await expect(verifyChain([path])).rejects.toThrow(message);
});

test("what can not be written is refused when it has to be, and let go when it has not", async () => {
  // /dev/full takes no byte.
  for (const guarantee of ["enforced", "best-effort"] as const) {
    const log = open({ path: "/dev/full", guarantee });
    const recorded = log.record({ n: 1 });
    if (guarantee === "enforced") await expect(recorded).rejects.toMatchObject({ status: 507, message: expect.stringMatching(/ENOSPC/) });
    else await recorded;
    await log.close();
  }
  expect(readdirSync(dir)).toEqual([]);
});
