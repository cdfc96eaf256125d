import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { allocPath, removeAllocDir, taskDirs } from "./alloc-dir.js";
import { AllocMounts, type Mounter } from "./alloc-mounts.js";

let dataDir: string;
let asked: unknown[];
let logged: string[];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "allocd-mounts-"));
  asked = [];
  logged = [];
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const log = () =>
  pino(
    new Writable({
      write(line: Buffer, _encoding, done) {
        logged.push(line.toString());
        done();
      },
    }),
  );
const mounts = (mounter: Partial<Mounter> | null) =>
  new AllocMounts({
    mounter: mounter && {
      canMount: true,
      mountTmpfs: async (mount) => void asked.push(mount),
      unmountBelow: async (path) => void asked.push(path),
      ...mounter,
    },
    log: log(),
  });
const dirs = (name: string) => {
  const made = taskDirs(dataDir, "a", name);
  mkdirSync(made.secrets, { recursive: true });
  return made;
};

test("secrets are mounted as the task's user has them, in their size", async () => {
  const { secrets } = dirs("t");
  await mounts({}).keepSecrets(dirs("t"), { uid: 7, gid: 8 }, 3);
  expect(asked).toEqual([{ path: secrets, bytes: 3 * 1024 * 1024, uid: 7, gid: 8, mode: 0o700 }]);
});

test("what is in the directory already is not hidden", async () => {
  const made = dirs("t");
  writeFileSync(join(made.secrets, "key"), "");
  await mounts({}).keepSecrets(made, null, 1);
  expect(asked).toEqual([]);
});

test.each<[string, Partial<Mounter>]>([
  ["can not mount", { canMount: false }],
  [
    "is refused by the kernel",
    {
      mountTmpfs: async (mount) => {
        asked.push(mount);
        throw new Error("mount: EPERM");
      },
    },
  ],
])("where the shim %s the tasks run all the same, and the log says so once", async (_, mounter) => {
  const own = mounts(mounter);
  for (const name of ["t", "u"]) await own.keepSecrets(dirs(name), null, 1);
  expect(asked.length).toBeLessThan(2);
  expect(logged).toHaveLength(1);
});

test("an allocation without mounts is removed without the shim", async () => {
  dirs("t");
  await removeAllocDir(dataDir, "a", mounts(null));
  await removeAllocDir(dataDir, "a", mounts(null));
  expect(existsSync(allocPath(dataDir, "a"))).toBe(false);
});

test("users that only an image knows may all use them", async () => {
  await mounts({}).keepSecrets(dirs("t"), "anyone", 1);
  expect(asked).toMatchObject([{ uid: 0, gid: 0, mode: 0o1777 }]);
});
