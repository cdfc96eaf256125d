import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { allPids, commandLine, kill, readBootId, readStat } from "./proc.js";
import { runs, ShimFixture, until } from "./testing/shim-fixture.js";

const asRoot = process.getuid?.() === 0;
/** For what only root can arrange: small file systems and cgroups. */
const rootTest = asRoot ? test : test.failing;

let shim: ShimFixture;
afterEach(async () => {
  expect(await shim.close()).toEqual([]);
});

const shims = (): number[] =>
  allPids().filter((pid) => {
    const words = commandLine(pid);
    return words.some((word) => word.endsWith("/shim/main.js")) && words.includes(shim.runtimeDir) && runs(pid);
  });

/** Of this fixture's shims: guards are forks of it, and go by another name. */
const launchers = (): number[] =>
  allPids().filter((pid) => shims().includes(readStat(pid)?.ppid ?? 0) && commandLine(pid)[0]?.endsWith("/allocd-launch"));

describe("one shim", () => {
  beforeEach(async () => {
    shim = await ShimFixture.start();
  });

  test("of several that are started at once all but one go, and the tasks' output is read by that one", async () => {
    const lines = 200;
    const ended = shim.exit(
      await shim.client.startRun(
        shim.spec("counting", `i=0; while [ $i -lt ${lines} ]; do echo $i; i=$((i+1)); sleep 0.005; done; exit 4`),
      ),
    );
    for (let round = 0; round < 3; round++) {
      kill(await shim.pid(), 9);
      for (let i = 0; i < 4; i++) shim.launch();
    }
    await shim.pid();
    await until(() => shims().length === 1);
    expect(await ended).toMatchObject({ exitCode: 4 });
    expect(shim.log("counting", "stdout")).toBe(Array.from({ length: lines }, (_, i) => `${i}\n`).join(""));
    expect(shims()).toEqual([await shim.pid()]);
  });

  test("requests under which the shim dies are answered by its successor", async () => {
    for (let round = 0; round < 5; round++) {
      const runId = `asked-${round}`;
      await shim.client.startRun(shim.spec(runId, "exec sleep 1000"));
      const pid = await shim.pid();
      const released = shim.client.releaseRun(runId);
      kill(pid, 9);
      await released;
      expect((await shim.client.list()).runs).toEqual([]);
    }
    await shim.pid();
  });

  test("a run whose records are damaged costs the others nothing", async () => {
    await shim.client.startRun(shim.spec("damaged", "exec sleep 1000"));
    const ended = shim.exit(await shim.client.startRun(shim.spec("whole", "sleep 0.2; exit 3")));
    const damaged = await shim.pidOf("damaged");
    writeFileSync(join(shim.runtimeDir, "runs/damaged/run.json"), "{");
    kill(await shim.pid(), 9);
    expect(await ended).toMatchObject({ exitCode: 3 });
    expect(runs(damaged)).toBe(true);
    kill(damaged, 9);
    await shim.pid();
    await until(() => readFileSync(join(shim.runtimeDir, "runs/damaged/record"), "utf8").includes("exit "));
    rmSync(join(shim.runtimeDir, "runs/damaged"), { recursive: true, maxRetries: 3 });
    for (const dir of ["memory", "cpu", "freezer", "."].map((name) => `/sys/fs/cgroup/${name}/${shim.slice}/damaged`).filter(existsSync)) {
      for (const cgroup of [`${dir}/main`, dir].filter(existsSync)) {
        await until(() => readFileSync(`${cgroup}/cgroup.procs`, "utf8") === "");
        execFileSync("rmdir", [cgroup]);
      }
    }
  });

  test("a run whose output can not be read any more goes on", async () => {
    const ended = shim.exit(await shim.client.startRun(shim.spec("mute", "sleep 1.5; exit 5")));
    await shim.pidOf("mute");
    rmSync(join(shim.runtimeDir, "runs/mute/stdout"));
    kill(await shim.pid(), 9);
    await shim.pid();
    expect(await ended).toMatchObject({ exitCode: 5, error: "" });
  });

  test("the next run of a task ends the one before, and one release does not undo the other's start", async () => {
    const cgroup = { path: `${shim.slice}/same`, memoryMax: null, memoryLow: null, cpuShares: 100, override: null };
    await shim.client.startRun(shim.spec("same.1", "exec sleep 1000", { cgroup }));
    const first = await shim.pidOf("same.1");
    const released = [shim.client.releaseRun("same.1"), shim.client.releaseRun("same.1")];
    await shim.client.startRun(shim.spec("same.2", "cat /proc/self/cgroup; exec sleep 1000", { cgroup }));
    await Promise.all(released);
    expect(runs(first)).toBe(false);
    expect((await shim.client.list()).runs.map(({ runId }) => runId)).toEqual(["same.2"]);
    await shim.client.startRun(shim.spec("same.3", "exit 0", { cgroup }));
    expect((await shim.client.list()).runs.map(({ runId }) => runId)).toEqual(["same.3"]);
  });

  test.each(["a:b", "a b", "a*b", "a\\b", "%", "'\"$x", "é"])("the name %j is no trouble to a task or its limits", async (name) => {
    const path = `${shim.slice}/${name}`;
    const { stdout, stderr } = await shim.run(`odd.${name}.1`, "cat /proc/self/cgroup", {
      cgroup: { path, memoryMax: 64 * 1024 * 1024, memoryLow: null, cpuShares: 100, override: null },
      logs: { dir: shim.logDir, prefix: `odd.${name}.1`, maxFiles: 2, maxFileBytes: 1024 * 1024 },
    });
    expect(stderr).toBe("");
    if (asRoot) expect(stdout).toContain(`/${path}/main\n`);
  });

  test("a launcher that is killed costs its sessions, and no task", async () => {
    const go = join(shim.dir, "go");
    const ended = shim.exit(await shim.client.startRun(shim.spec("launched", `while [ ! -e ${go} ]; do sleep 0.01; done; exit 5`)));
    const argv = ["/bin/sh", "-c", "setsid sleep 1000 & echo $!; wait"];
    const { reason, stdout } = await shim.session({ sessionId: "s", runId: "launched", argv }, async (text) => {
      await until(() => text() !== "");
      expect(launchers().length).toBe(1);
      for (const pid of launchers()) kill(pid, 9);
    });
    expect(reason).toBe("the launcher of commands was killed");
    expect(runs(Number(stdout))).toBe(false);
    expect(await shim.run("after", "exit 6")).toMatchObject({ exitCode: 6 });
    writeFileSync(go, "");
    expect(await ended).toMatchObject({ exitCode: 5, error: "" });
  });

  test("odd names of variables arrive, or are left out where no program can have them", async () => {
    const env = { PATH: "/usr/bin:/bin", "-i": "1", "": "nameless", "-": "2" };
    const { stdout } = await shim.run("names", "", { argv: ["/usr/bin/env"], env });
    expect(stdout.split("\n").filter(Boolean).sort()).toEqual(["-=2", "-i=1", "ALLOCD_RUN=names", "PATH=/usr/bin:/bin"]);
  });

  test.each([
    ["one word of 128 KiB", ["/bin/true", "x".repeat(128 * 1024)], {}],
    ["more than the kernel takes", ["/bin/true", ...Array.from({ length: 40 }, () => "x".repeat(100_000))], {}],
    ["a variable of 200 KiB", ["/bin/true"], { BIG: "x".repeat(200 * 1024) }],
    ["more than a frame", ["/bin/true"], { BIG: "x".repeat(5 * 1024 * 1024) }],
    ["a NUL", ["/bin/true", "a\0b"], {}],
  ])("a command that can not be started is refused with nothing left, and nobody else notices: %s", async (_what, argv, env) => {
    await shim.client.startRun(shim.spec("neighbour", "exec sleep 1000"));
    const session = shim.session({ sessionId: "s", runId: "neighbour", argv: ["/bin/cat"] });
    await expect(shim.client.startRun(shim.spec("big", "", { argv, env }))).rejects.toMatchObject({ code: "ESTART" });
    expect((await shim.client.list()).runs.map(({ runId }) => runId)).toEqual(["neighbour"]);
    expect(readdirSync(join(shim.runtimeDir, "runs"))).toEqual(["neighbour"]);
    await shim.client.sessionStdin("s", Buffer.from("still here"), true);
    expect(await session).toMatchObject({ exitCode: 0, stdout: "still here" });
  });

  test("empty words and line ends in words arrive as they are", async () => {
    const { stdout } = await shim.run("words", "", { argv: ["/bin/sh", "-c", 'printf "[%s]" "$@"', "sh", "", "a\nb", "-n", ""] });
    expect(stdout).toBe("[][a\nb][-n][]");
  });

  rootTest("processes in cgroups that a task of root's has made inside its own end with it", async () => {
    const inner = `/sys/fs/cgroup/freezer/${shim.slice}/nested/main/inner`;
    if (!existsSync("/sys/fs/cgroup/freezer")) return;
    const script = `mkdir ${inner}; env -i setsid sh -c 'echo $$ > ${inner}/cgroup.procs; echo $$; exec sleep 1000' & while ! grep -q . ${inner}/cgroup.procs; do sleep 0.01; done`;
    const { stdout } = await shim.run("nested", script);
    expect(runs(Number(stdout))).toBe(false);
  });

  rootTest("a user that may not enter the directory runs there all the same", async () => {
    const cwd = join(shim.dir, "closed");
    mkdirSync(cwd, { mode: 0o700 });
    const { exitCode, stdout } = await shim.run("closed", "id -u", { cwd, user: { uid: 65_534, gid: 65_534, known: true } });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "65534\n" });
  });
});

describe("records that an earlier shim has left", () => {
  /** As a run's records are when its processes are long gone, with a number that now names another's group. */
  const leave = (bootId: string, pid: number) => (fixture: ShimFixture) => {
    const dir = join(fixture.runtimeDir, "runs/old");
    mkdirSync(dir, { recursive: true });
    const { env: _env, ...spec } = fixture.spec("old", "", { logs: null });
    writeFileSync(join(fixture.runtimeDir, "boot-id"), bootId);
    writeFileSync(join(dir, "run.json"), JSON.stringify(spec));
    writeFileSync(join(dir, "record"), `${`guard ${pid} 1\n`.padEnd(64)}${`pid ${pid} 2\n`.padEnd(192)}`);
  };

  /** A group of somebody else's whose leader has ended. */
  async function strangers(): Promise<{ readonly group: number; readonly member: number }> {
    const leader = spawn("/bin/sh", ["-c", "sleep 1000 >/dev/null & echo $!"], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
    const text = await new Promise<string>((resolve) => leader.stdout.once("data", (data) => resolve(String(data))));
    await until(() => leader.exitCode !== null);
    return { group: leader.pid ?? 0, member: Number(text) };
  }

  test("of an earlier boot are forgotten, and the numbers in them touched by nobody", async () => {
    const { group, member } = await strangers();
    shim = await ShimFixture.start({ prepare: leave("another boot", group) });
    expect((await shim.client.list()).runs).toEqual([]);
    expect(runs(member)).toBe(true);
    kill(member, 9);
  });

  test("of this boot are told as unknown, and the numbers in them touched by nobody", async () => {
    const { group, member } = await strangers();
    shim = await ShimFixture.start({ prepare: leave(readBootId(), group) });
    const [info] = (await shim.client.list()).runs;
    if (!info) throw new Error("the run is not known");
    expect((await shim.exit(info)).error).toBe("unknown: the guard was killed");
    expect(runs(member)).toBe(true);
    kill(member, 9);
  });
});

test("a shim whose own log can not be written goes on, when output is lost too", async () => {
  shim = await ShimFixture.start({ logFile: "/dev/full" });
  const pid = await shim.pid();
  const logs = { dir: "/nowhere", prefix: "x", maxFiles: 1, maxFileBytes: 1024 };
  const info = await shim.client.startRun(shim.spec("unlogged", "echo lost; exit 3", { logs }));
  expect(await shim.exit(info)).toMatchObject({ exitCode: 3 });
  expect(await shim.pid()).toBe(pid);
});

test("a log directory that is there again gets what is said from then on", async () => {
  shim = await ShimFixture.start();
  const dir = join(shim.dir, "later");
  const go = join(shim.dir, "go");
  const logs = { dir, prefix: "late", maxFiles: 1, maxFileBytes: 1024 };
  const info = await shim.client.startRun(shim.spec("late", `echo lost; while [ ! -e ${go} ]; do sleep 0.01; done; echo kept`, { logs }));
  await shim.pidOf("late");
  await pause(50);
  mkdirSync(dir);
  writeFileSync(go, "");
  await shim.exit(info);
  expect(readFileSync(join(dir, "late.stdout.0"), "utf8")).toContain("kept\n");
});

rootTest("the end of a task is known though the disk of the records is full, over the death of the shim too", async () => {
  shim = await ShimFixture.start({
    prepare: ({ runtimeDir, mounts }) => {
      if (!asRoot) return;
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", runtimeDir]);
      mounts.push(runtimeDir);
    },
  });
  const go = join(shim.dir, "go");
  const wait = `while [ ! -e ${go} ]; do sleep 0.01; done`;
  const one = shim.exit(await shim.client.startRun(shim.spec("full-1", `${wait}; exit 137`)));
  const two = shim.exit(await shim.client.startRun(shim.spec("full-2", `${wait}; kill -9 $$`)));
  for (const runId of ["full-1", "full-2"]) await shim.pidOf(runId);
  const filler = join(shim.runtimeDir, "filler");
  expect(() => writeFileSync(filler, Buffer.alloc(1024 * 1024))).toThrow("ENOSPC");
  kill(await shim.pid(), 9);
  writeFileSync(go, "");
  expect([await one, await two]).toMatchObject([
    { exitCode: 137, signal: 0, error: "" },
    { exitCode: 137, signal: 9, error: "" },
  ]);
  await expect(shim.client.startRun(shim.spec("full-3", "exit 0"))).rejects.toMatchObject({
    code: "ESTART",
    message: expect.stringContaining("ENOSPC"),
  });
  expect(readdirSync(join(shim.runtimeDir, "runs")).sort()).toEqual(["full-1", "full-2"]);
  await shim.pid();
});
