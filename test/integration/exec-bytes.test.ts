import { createHash } from "node:crypto";
import { ExecClient, execute, idleTask } from "../support/exec.js";
import { chance } from "../support/random.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Every byte value, without a period that a frame or a pipe could have. */
function payload(bytes: number): Buffer {
  const block = chance(4).bytes(65_521);
  return Buffer.alloc(bytes, block);
}

scenario("50 MB go in and come out again over pipes, byte for byte, and the end of stdin ends cat", async (start) => {
  const agent = await start();
  const data = payload(50_000_000);
  const back = createHash("sha256");
  const cat = new ExecClient(agent, await idleTask(agent), ["cat"], { sink: (bytes) => back.update(bytes) });
  await cat.opened;
  await cat.stdin(data);
  cat.closeStdin();
  expect(await cat.end()).toEqual({ code: 1000, reason: "" });
  expect(back.digest("hex")).toBe(sha256(data));
  expect([cat.exitCode, cat.marks.at(-1)]).toEqual([0, "exited"]);
});

scenario("50 MB come out of a raw terminal byte for byte, from a command that ends with the last of them", async (start) => {
  const agent = await start();
  const id = await idleTask(agent, "idle", "head -c 50000000 /dev/urandom > local/data; echo made; exec sleep 1000");
  const want = (await execute(agent, id, "until [ $(wc -c < local/data) = 50000000 ]; do sleep 0.1; done; sha256sum local/data")).stdout;
  const got = createHash("sha256");
  const cat = await execute(agent, id, "stty raw -echo; exec cat local/data", { tty: true, sink: (bytes) => got.update(bytes) });
  expect(`${got.digest("hex")}  local/data\n`).toBe(want.toString());
  expect([cat.exitCode, cat.marks]).toEqual([0, ["stdout closed", "exited"]]);
});

scenario("50 MB go into a raw terminal and come back byte for byte", async (start) => {
  const agent = await start();
  const data = payload(50_000_000);
  const ready = Buffer.from("ready\n");
  const back = createHash("sha256");
  let length = 0;
  const sink = (bytes: Buffer): void => {
    back.update(bytes);
    length += bytes.length;
  };
  const script = `stty raw -echo; echo ready; head -c ${data.length}`;
  const head = new ExecClient(agent, await idleTask(agent), ["/bin/sh", "-c", script], { tty: true, sink });
  await head.opened;
  // What is typed before the terminal is raw would be changed by it.
  await waitFor("the terminal to be raw", () => length === ready.length);
  await head.stdin(data);
  expect(await head.end()).toEqual({ code: 1000, reason: "" });
  expect([length, back.digest("hex")]).toEqual([ready.length + data.length, sha256(Buffer.concat([ready, data]))]);
});

scenario("characters that are cut by frames, and by the command's writes, come through whole", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const text = "grüße, 世界, 🦊 and e\u0301\n".repeat(50);
  for (const tty of [false, true]) {
    const script = tty ? "stty raw -echo; echo ready; exec dd bs=1 status=none count=$0" : "echo ready; exec dd bs=1 status=none count=$0";
    const bytes = Buffer.from(text);
    const dd = new ExecClient(agent, id, ["/bin/sh", "-c", script, String(bytes.length)], { tty });
    await dd.said("ready");
    for (const byte of bytes) await dd.stdin(Buffer.of(byte));
    await dd.end();
    expect(dd.stdout.toString()).toBe(`ready\n${text}`);
  }
});

scenario("output of a background child is drained before the exit frame, and the code is the command's own", async (start) => {
  const agent = await start();
  const client = await execute(agent, await idleTask(agent), "(sleep 0.5; echo late; echo later >&2) & echo early; exit 3");
  expect([client.stdout.toString(), client.stderr.toString(), client.exitCode]).toEqual(["early\nlate\n", "later\n", 3]);
  expect(client.marks.at(-1)).toBe("exited");
  expect([...client.marks].sort()).toEqual(["exited", "stderr closed", "stdout closed"]);
  expect(await client.closed).toEqual({ code: 1000, reason: "" });
});

scenario("64 sessions at once have each their own output and exit code, and all run at the same time", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const script = (i: number): string => `echo here $0; read go; seq -f "${i} %.0f" 1 2000; echo bye ${i} >&2; exit ${i}`;
  const clients = Array.from(
    { length: 64 },
    (_, i) => new ExecClient(agent, id, ["/bin/sh", "-c", script(i), String(i)], { tty: i % 4 === 3 }),
  );
  for (const [i, client] of clients.entries()) await client.said(`here ${i}`);
  for (const client of clients) client.frame({ stdin: { data: Buffer.from("go\n").toString("base64") } });
  for (const [i, client] of clients.entries()) {
    await client.end();
    const lines = client.stdout.toString().replaceAll("\r", "").split("\n");
    expect(lines.filter((line) => line.startsWith(`${i} `))).toEqual(Array.from({ length: 2000 }, (_, n) => `${i} ${n + 1}`));
    const foreign = lines.filter((line) => !["", "go", `here ${i}`, `bye ${i}`].includes(line) && !line.startsWith(`${i} `));
    expect([foreign, client.exitCode]).toEqual([[], i]);
  }
});
