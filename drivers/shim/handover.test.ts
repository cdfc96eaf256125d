import { setTimeout as pause } from "node:timers/promises";
import type { ShimProgram } from "./protocol.js";
import { runs, ShimFixture, until } from "./testing/shim-fixture.js";

let shim: ShimFixture;
let program: ShimProgram;
beforeEach(async () => {
  shim = await ShimFixture.start();
  program = shim.program;
});
afterEach(async () => {
  expect(await shim.close()).toEqual([]);
});

/** Has the shim replaced, and knows the new one. */
async function replace(): Promise<void> {
  const before = await shim.pid();
  const after = await shim.client.upgrade(program);
  expect(after).not.toBe(before);
  expect(await shim.pid()).toBe(after);
  await until(() => !runs(before));
}

const count = (lines: number, pauseSeconds: number, code: number): string =>
  `i=0; while [ $i -lt ${lines} ]; do echo $i; i=$((i+1)); sleep ${pauseSeconds}; done; exit ${code}`;
const counted = (lines: number): string => Array.from({ length: lines }, (_, i) => `${i}\n`).join("");

test("tasks go on while one shim takes over from another, with every line and their exit codes", async () => {
  const codes = [3, 4, 5];
  const infos = await Promise.all(codes.map((code) => shim.client.startRun(shim.spec(`t${code}`, count(150, 0.005, code)))));
  const ended = infos.map((info) => shim.exit(info));
  for (let round = 0; round < 3; round++) await replace();
  expect(await Promise.all(ended)).toMatchObject(codes.map((exitCode) => ({ exitCode, signal: 0, error: "" })));
  for (const code of codes) expect(shim.log(`t${code}`, "stdout")).toBe(counted(150));
});

test("a task keeps its terminal", async () => {
  const info = await shim.client.startRun(shim.spec("tty", `stty raw; ${count(100, 0.01, 6)}`, { tty: true }));
  const ended = shim.exit(info);
  await replace();
  await replace();
  expect(await ended).toMatchObject({ exitCode: 6, signal: 0, error: "" });
  expect(shim.log("tty", "stdout")).toBe(counted(100));
});

test.each([
  ["pipes", null],
  ["a terminal", { rows: 10, cols: 10 }],
])("a session with %s goes on, with every byte both ways and its exit code", async (_kind, tty) => {
  await shim.client.startRun(shim.spec("host", "exec sleep 1000"));
  const script = `${tty ? "stty raw -echo; " : ""}echo up; while read -r line; do [ "$line" = end ] && exit 7; echo "<$line>"; done`;
  const lines = Array.from({ length: 60 }, (_, i) => `line ${i}`);
  const send = (text: string): Promise<void> => shim.client.sessionStdin("s", Buffer.from(`${text}\n`), false);
  const ended = await shim.session({ runId: "host", sessionId: "s", argv: ["/bin/sh", "-c", script], tty }, async (text) => {
    await until(() => text() === "up\n");
    const typed = (async () => {
      for (const line of lines) {
        await send(line);
        await pause(5);
      }
    })();
    await replace();
    await replace();
    await typed;
    await send("end");
  });
  expect(ended).toMatchObject({ exitCode: 7, signal: 0, reason: "" });
  expect(ended.stdout).toBe(`up\n${lines.map((line) => `<${line}>\n`).join("")}`);
});

test("a command that writes faster than its client reads loses nothing", async () => {
  await shim.client.startRun(shim.spec("host", "exec sleep 1000"));
  const bytes = 20_000_000;
  const argv = ["/bin/sh", "-c", `head -c ${bytes} /dev/zero | tr "\\0" x; exit 9`];
  const ended = await shim.session({ runId: "host", sessionId: "s", argv }, async () => {
    await replace();
    await replace();
  });
  expect([ended.exitCode, ended.stdout.length, /^x*$/.test(ended.stdout)]).toEqual([9, bytes, true]);
});

test("a session that ends while its shim is replaced is told as it ended", async () => {
  await shim.client.startRun(shim.spec("host", "exec sleep 1000"));
  for (let round = 0; round < 5; round++) {
    const argv = ["/bin/sh", "-c", `sleep 0.${round}; echo last; exit ${round}`];
    const ended = await shim.session({ runId: "host", sessionId: `s${round}`, argv }, replace);
    expect(ended).toMatchObject({ exitCode: round, stdout: "last\n", reason: "" });
  }
});

test("a successor that does not come up costs nothing", async () => {
  const ended = shim.exit(await shim.client.startRun(shim.spec("task", count(100, 0.005, 3))));
  const before = await shim.pid();
  const session = await shim.session({ runId: "task", sessionId: "s", argv: ["/bin/sh", "-c", "read line; echo $line"] }, async () => {
    await expect(shim.client.upgrade({ ...program, main: "/nowhere/main.js" })).rejects.toMatchObject({ code: "ESTART" });
    await shim.client.sessionStdin("s", Buffer.from("hello\n"), false);
  });
  expect(session).toMatchObject({ exitCode: 0, stdout: "hello\n" });
  expect(await shim.pid()).toBe(before);
  expect(await ended).toMatchObject({ exitCode: 3 });
  expect(shim.log("task", "stdout")).toBe(counted(100));
});

test("a command that does not take its input is ended with the reason, and holds nothing up", async () => {
  await shim.client.startRun(shim.spec("host", "exec sleep 1000"));
  const ended = await shim.session({ runId: "host", sessionId: "s", argv: ["/bin/sleep", "1000"] }, async () => {
    void shim.client.sessionStdin("s", Buffer.alloc(1024 * 1024), false).catch(() => {});
    await replace();
  });
  expect(ended.reason).toBe("the shim was replaced while the command did not take its input");
});
