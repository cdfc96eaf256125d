import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { kill } from "./proc.js";
import { runs, ShimFixture, until } from "./testing/shim-fixture.js";

const asRoot = process.getuid?.() === 0;
const nobody = { uid: 65_534, gid: 65_534, known: true };

let shim: ShimFixture;
beforeAll(async () => {
  shim = await ShimFixture.start();
});
afterAll(async () => {
  expect(await shim.close()).toEqual([]);
});

test.each([
  ["exit 0", 0, 0],
  ["exit 7", 7, 0],
  ["exit 130", 130, 0],
  ["exit 137", 137, 0],
  ["kill -INT $$", 130, 2],
  ["kill -PIPE $$", 141, 13],
  ["kill -9 $$", 137, 9],
  ["kill -TERM $$", 143, 15],
])("an exit and a death by signal are told apart: %s", async (script, exitCode, signal) => {
  expect(await shim.run(`code-${script.replace(/\W+/g, "-")}`, script)).toMatchObject({ exitCode, signal, oomKilled: false, error: "" });
});

test("a task holds 0, 1 and 2 and nothing else, while terminals are open", async () => {
  await shim.client.startRun(shim.spec("fd-host", "exec sleep 1000"));
  await shim.client.startRun(shim.spec("fd-tty", "exec sleep 1000", { tty: true }));
  const sessions = ["one", "two"].map((name) =>
    shim.session({ sessionId: `fd-${name}`, runId: "fd-host", argv: ["/bin/sleep", "1000"], tty: { rows: 10, cols: 10 } }, async () => {}),
  );
  const list = "ls /proc/$$/fd; true";
  expect((await shim.run("fd", list)).stdout).toBe("0\n1\n2\n");
  expect((await shim.session({ sessionId: "fd-pipe", runId: "fd-host", argv: ["/bin/sh", "-c", list] })).stdout).toBe("0\n1\n2\n");
  const tty = await shim.session({ sessionId: "fd-term", runId: "fd-host", argv: ["/bin/sh", "-c", list], tty: { rows: 10, cols: 10 } });
  expect(tty.stdout.split(/\s+/).filter(Boolean)).toEqual(["0", "1", "2"]);
  for (const name of ["one", "two"]) await shim.client.endSession(`fd-${name}`, "done");
  await Promise.all(sessions);
});

test("a task starts clean: no signal ignored or blocked, leader of its group, stdin at its end", async () => {
  const { stdout } = await shim.run(
    "clean",
    'grep -E "^Sig(Ign|Blk)" /proc/self/status; set -- $(cat /proc/$$/stat); test $1 = $5 && echo leader; cat; echo end',
  );
  expect(stdout).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nleader\nend\n");
});

test("the environment arrives whole: odd names, loader variables, and nothing of the wrapper's", async () => {
  const env = {
    PATH: "/usr/bin:/bin",
    "dotted.name": "1",
    "NOMAD_ADDR_my-port": "2",
    LD_LIBRARY_PATH: "/nowhere",
    IFS: "x",
    LINES: "a\nb",
    EMPTY: "",
  };
  const { stdout } = await shim.run("env", "", { argv: ["/usr/bin/env", "-0"], env });
  const seen = Object.fromEntries(
    stdout
      .split("\0")
      .filter(Boolean)
      .map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]),
  );
  expect(seen).toEqual({ ...env, ALLOCD_RUN: "env" });
});

test("a command whose path holds '=' runs", async () => {
  const path = join(shim.dir, "a=b");
  writeFileSync(path, "#!/bin/sh\necho ran $1\n", { mode: 0o755 });
  expect((await shim.run("equals", "", { argv: [path, "it"] })).stdout).toBe("ran it\n");
});

(asRoot ? test : test.failing)("a user's task has that user's groups and can open its /dev/stdout again", async () => {
  const { stdout, exitCode } = await shim.run("user", "id -u; id -G; echo again > /dev/stdout", { user: nobody });
  expect({ stdout, exitCode }).toEqual({ stdout: "65534\n65534\nagain\n", exitCode: 0 });
});

test("the last words of a task that exits at once are kept, all of them", async () => {
  const { stdout } = await shim.run("last", 'head -c 300000 /dev/zero | tr "\\0" x; echo END');
  expect(stdout.length).toBe(300_004);
  expect(stdout.endsWith("xEND\n")).toBe(true);
});

test("nothing of the tree outlives the main process, not even with a session of its own", async () => {
  const { stdout } = await shim.run("tree", "setsid sleep 1000 & echo $!; sleep 1000 & echo $!; exit 0");
  expect(stdout.trim().split("\n").map(Number).filter(runs)).toEqual([]);
});

test("a kill takes the whole tree, and the exit is known", async () => {
  const info = await shim.client.startRun(shim.spec("killed", "setsid sleep 1000 & echo $!; exec sleep 1000"));
  await until(() => shim.log("killed", "stdout") !== "");
  await shim.client.killRun("killed");
  expect(await shim.exit((await shim.client.list()).runs.find((run) => run.runId === "killed") ?? info)).toMatchObject({
    exitCode: 137,
    signal: 9,
  });
  expect(runs(Number(shim.log("killed", "stdout")))).toBe(false);
});

test("the same run asked for twice starts once", async () => {
  const spec = shim.spec("twice", "echo once; exec sleep 1000");
  await Promise.all([shim.client.startRun(spec), shim.client.startRun(spec)]);
  const pid = await shim.pidOf("twice");
  await until(() => shim.log("twice", "stdout") !== "");
  expect(await shim.client.startRun(spec)).toMatchObject({ pid });
  expect(shim.log("twice", "stdout")).toBe("once\n");
});

test("a kill that comes before the command is there ends it all the same", async () => {
  for (let i = 0; i < 10; i++) {
    const ended = shim.exit(await shim.client.startRun(shim.spec(`early-${i}`, "exec sleep 1000")));
    await shim.client.killRun(`early-${i}`);
    expect(await ended).toMatchObject({ exitCode: 137, signal: 9 });
  }
});

test("a signal reaches the main process and no child", async () => {
  await shim.client.startRun(
    shim.spec(
      "signal",
      'sh -c "trap \'echo child\' USR1; echo up; while true; do sleep 0.02; done" & trap "echo main" USR1; while true; do sleep 0.02; done',
    ),
  );
  await until(() => shim.log("signal", "stdout") === "up\n");
  // The trap of the main process may be set after its child's.
  await pause(50);
  expect(await shim.client.signalRun("signal", 10)).toBe(true);
  await until(() => shim.log("signal", "stdout").includes("main"));
  expect(shim.log("signal", "stdout")).toBe("up\nmain\n");
});

test("an INT that comes right after the start is not lost, ten of ten", async () => {
  for (let i = 0; i < 10; i++) {
    const ended = shim.exit(await shim.client.startRun(shim.spec(`int-${i}`, "", { argv: ["/bin/sleep", "1000"] })));
    await shim.client.signalRun(`int-${i}`, 2);
    expect(await ended).toMatchObject({ exitCode: 130, signal: 2 });
  }
});

test("a shim that is killed is replaced: the task goes on, its output and exit code are kept", async () => {
  const lines = 40;
  const info = await shim.client.startRun(
    shim.spec("orphan", `i=0; while [ $i -lt ${lines} ]; do echo $i; i=$((i+1)); sleep 0.02; done; exit 9`),
  );
  const ended = shim.exit(info);
  await until(() => shim.log("orphan", "stdout").includes("5\n"));
  kill(await shim.pid(), 9);
  expect(await ended).toMatchObject({ exitCode: 9, signal: 0 });
  expect(shim.log("orphan", "stdout")).toBe(Array.from({ length: lines }, (_, i) => `${i}\n`).join(""));
  await shim.pid();
});

test("what ended while no shim was there is known to the next one", async () => {
  await shim.client.startRun(shim.spec("meanwhile", "sleep 0.1; exit 6"));
  const waiting = shim.client.waitRun("meanwhile");
  kill(await shim.pid(), 9);
  expect(await waiting).toMatchObject({ exitCode: 6 });
  await shim.pid();
});

test.each(["trap '' HUP; echo up; exec sleep 1000", "echo up; exec sleep 1000"])(
  "a task's terminal is lost with the shim, and that is said: %s",
  async (script) => {
    const runId = `tty-${script.length}`;
    await shim.client.startRun(shim.spec(runId, script, { tty: true }));
    const ended = shim.client.waitRun(runId);
    await until(() => shim.log(runId, "stdout") !== "");
    kill(await shim.pid(), 9);
    expect((await ended).error).toBe("terminal lost with the shim");
    await shim.pid();
  },
);

test("a session is in the task's directory, ends by itself, and tells its code", async () => {
  await shim.client.startRun(shim.spec("host", "exec sleep 1000"));
  const run = { runId: "host" };
  expect(await shim.session({ ...run, sessionId: "s1", argv: ["/bin/sh", "-c", "pwd; echo err >&2; exit 3"] })).toEqual({
    exitCode: 3,
    signal: 0,
    reason: "",
    stdout: `${shim.dir}\n`,
    stderr: "err\n",
  });
  const cat = await shim.session({ ...run, sessionId: "s2", argv: ["/bin/cat"] }, async () =>
    shim.client.sessionStdin("s2", Buffer.from("in"), true),
  );
  expect(cat).toMatchObject({ stdout: "in", exitCode: 0 });
});

test("a session's stdin can be opened again, when its writer is gone already too", async () => {
  await shim.client.startRun(shim.spec("host5", "exec sleep 1000"));
  const argv = ["/bin/sh", "-c", "sleep 0.1; cat /dev/stdin; cat /dev/stdin; echo end > /dev/stdout"];
  const read = await shim.session({ runId: "host5", sessionId: "i1", argv }, async () =>
    shim.client.sessionStdin("i1", Buffer.from("in"), true),
  );
  expect(read).toMatchObject({ stdout: "inend\n", exitCode: 0 });
});

test("a terminal's output arrives whole when its command exits at once", async () => {
  await shim.client.startRun(shim.spec("host6", "exec sleep 1000"));
  for (const round of [1, 2, 3, 4, 5]) {
    const argv = ["/bin/sh", "-c", "stty raw -echo; head -c 60000 /dev/zero"];
    const { stdout } = await shim.session({ runId: "host6", sessionId: `w${round}`, argv, tty: { rows: 5, cols: 5 } });
    expect(stdout.length).toBe(60_000);
  }
});

test("a command that closes its terminal before it exits is not hung up", async () => {
  await shim.client.startRun(shim.spec("host7", "exec sleep 1000"));
  for (const round of [1, 2, 3]) {
    const argv = ["/bin/sh", "-c", "exec <&- >&- 2>&-; sleep 0.05; exit 7"];
    const ended = await shim.session({ runId: "host7", sessionId: `c${round}`, argv, tty: { rows: 5, cols: 5 } });
    expect(ended).toMatchObject({ exitCode: 7, signal: 0 });
  }
  expect(await shim.run("closes", "exec <&- >&- 2>&-; sleep 0.05; exit 8", { tty: true })).toMatchObject({ exitCode: 8, signal: 0 });
});

test("an end that comes with the answer to the start is not missed", async () => {
  const ends = await Promise.all(Array.from({ length: 30 }, (_, i) => shim.run(`short-${i}`, "", { argv: ["/bin/true"] })));
  expect(ends.map(({ exitCode }) => exitCode)).toEqual(Array(30).fill(0));
});

test("a session's terminal has its size before the program looks, and its end of input", async () => {
  await shim.client.startRun(shim.spec("host2", "exec sleep 1000"));
  const size = await shim.session({ runId: "host2", sessionId: "t1", argv: ["/bin/stty", "size"], tty: { rows: 33, cols: 99 } });
  expect(size.stdout).toBe("33 99\r\n");
  const cat = await shim.session({ runId: "host2", sessionId: "t2", argv: ["/bin/cat"], tty: { rows: 5, cols: 5 } }, async (text) => {
    await shim.client.sessionStdin("t2", Buffer.from("x\n"), false);
    await until(() => text() === "x\r\nx\r\n");
    await shim.client.sessionStdin("t2", Buffer.alloc(0), true);
  });
  expect(cat).toMatchObject({ exitCode: 0, stdout: "x\r\nx\r\n" });
});

test("ending a session ends its whole tree and nothing of the task", async () => {
  await shim.client.startRun(shim.spec("host3", "exec sleep 1000"));
  const ended = await shim.session(
    { runId: "host3", sessionId: "e1", argv: ["/bin/sh", "-c", "setsid sleep 1000 & echo $!; exec sleep 1000"] },
    async (text) => {
      await until(() => text() !== "");
      await shim.client.endSession("e1", "enough");
    },
  );
  expect(ended.reason).toBe("enough");
  expect(runs(Number(ended.stdout))).toBe(false);
  expect(runs(await shim.pidOf("host3"))).toBe(true);
});

test("the end of the task ends its sessions, with the reason", async () => {
  await shim.client.startRun(shim.spec("host4", "exec sleep 1000"));
  const ended = await shim.session({ runId: "host4", sessionId: "e2", argv: ["/bin/sleep", "1000"] }, async () =>
    shim.client.killRun("host4"),
  );
  expect(ended.reason).toBe("the task has ended");
});

test("a run that can not be started leaves nothing", async () => {
  await expect(shim.client.startRun(shim.spec("bad", "true", { logs: null, argv: ["/bin/sh", "a\0b"] }))).rejects.toMatchObject({
    code: "ESTART",
  });
  expect((await shim.client.list()).runs.map((run) => run.runId)).not.toContain("bad");
});
