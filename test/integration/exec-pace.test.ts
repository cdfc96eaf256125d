import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestAgent } from "../support/agent.js";
import { ExecClient, execute, idleTask, shimPid } from "../support/exec.js";
import { openFiles, residentBytes, writtenBytes } from "../support/host.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const mebibyte = 1024 * 1024;
/** How much a session may cost the agent, and the shim, while one of its ends does not take what the other gives. */
const allowed = 8 * mebibyte;

/** The memory of the agent and its shim, which must not grow between two looks. */
class Memory {
  readonly #pids: readonly number[];
  readonly #before: readonly number[];

  constructor(agent: TestAgent) {
    this.#pids = [agent.pid, shimPid(agent)];
    this.#before = this.#pids.map(residentBytes);
  }

  expectNotGrown(): void {
    const grown = this.#pids.map((pid, i) => residentBytes(pid) - (this.#before[i] ?? 0));
    if (grown.some((bytes) => bytes > allowed)) throw new Error(`agent and shim have grown by ${grown.join(" and ")} bytes`);
  }
}

/** A process that has moved much data once has its memory; what counts is what it needs beyond. */
async function warmUp(agent: TestAgent, id: string): Promise<void> {
  for (let round = 0; round < 3; round++) await execute(agent, id, "head -c 60000000 /dev/zero", { sink: () => {} });
  const cat = new ExecClient(agent, id, ["/bin/sh", "-c", "cat > /dev/null"]);
  await cat.opened;
  await cat.stdin(Buffer.alloc(60_000_000));
  cat.closeStdin();
  await cat.end();
}

/** Waits until a number stays as it is for half a second, while memory is looked at. */
async function standsStill(what: string, value: () => number, memory: Memory): Promise<number> {
  let last = -1;
  let since = performance.now();
  return waitFor(`${what} to stand still`, () => {
    memory.expectNotGrown();
    const now = value();
    if (now !== last) since = performance.now();
    last = now;
    return now > 0 && performance.now() - since > 500 && now;
  });
}

scenario(
  "a client that does not read stops the command, costs no memory, and gets everything in order when it reads again",
  async (start) => {
    const agent = await start();
    const id = await idleTask(agent);
    await warmUp(agent, id);
    const memory = new Memory(agent);

    let next = 1;
    let bytesBefore = 0;
    let received = 0;
    let rest = "";
    const sink = (bytes: Buffer): void => {
      received += bytes.length;
      const lines = (rest + bytes.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== String(next++)) throw new Error(`line ${next - 1} is ${line}`);
    };
    const client = new ExecClient(agent, id, ["/bin/sh", "-c", "echo $$ > local/pid; exec seq inf"], { sink });
    await waitFor("output", () => received > 0);
    client.ws.pause();
    bytesBefore = received;
    const pid = Number((await agent.get(`/v1/client/fs/cat/${id}?path=t/local/pid`)).text);
    const written = await standsStill("the command", () => writtenBytes(pid), memory);
    // What the kernel keeps between the client and the agent, and between the shim and the command, is not ours.
    expect(written).toBeGreaterThan(bytesBefore);

    client.ws.resume();
    await waitFor("all that was held back, and more", () => received > written + 20 * mebibyte, 30_000);
    memory.expectNotGrown();
    client.drop();
    await client.end();
  },
);

scenario("a command that does not read its stdin stops the client and costs no memory; it gets everything when it reads", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  await warmUp(agent, id);
  for (const tty of [false, true]) {
    const memory = new Memory(agent);
    const go = join(agent.dataDir, "alloc", id, "t", `go-${tty}`);
    const bytes = 40 * mebibyte;
    const script = `${tty ? "stty raw -echo; " : ""}echo ready; until [ -e $0 ]; do sleep 0.05; done; head -c $1 | wc -c`;
    const client = new ExecClient(agent, id, ["/bin/sh", "-c", script, go, String(tty ? mebibyte : bytes)], { tty });
    await client.said("ready");
    let sent = 0;
    const sending = (async () => {
      for (; sent < bytes; sent += mebibyte) await client.stdin(Buffer.alloc(mebibyte, "x"));
    })();
    const stuckAt = await standsStill("the client", () => sent + client.ws.bufferedAmount, memory);
    expect(stuckAt).toBeLessThan(bytes - 10 * mebibyte);
    // Others notice nothing meanwhile.
    expect((await execute(agent, id, "echo there")).stdout.toString()).toBe("there\n");

    writeFileSync(go, "");
    if (!tty) await sending;
    expect(await client.end()).toEqual({ code: 1000, reason: "" });
    expect(client.stdout.toString()).toMatch(tty ? /^ready\r?\n1048576\r?\n$/ : /^ready\n41943040\n$/);
    await sending;
  }
});

scenario("hundred clients that do not read stop no one else", async (start) => {
  const agent = await start({ config: { http: { max_conns_per_client: 1000 } } });
  const id = await idleTask(agent);
  const paused = Array.from({ length: 100 }, () => new ExecClient(agent, id, ["/usr/bin/yes"], { sink: () => {} }));
  for (const client of paused) await client.opened;
  for (const client of paused) client.ws.pause();
  expect((await execute(agent, id, "echo there")).stdout.toString()).toBe("there\n");
  expect(paused.filter(({ ws }) => ws.readyState !== ws.OPEN)).toEqual([]);
  for (const client of paused) client.drop();
  await waitFor("the connections to be gone", () => openFiles(agent.pid).filter(({ target }) => target.startsWith("socket:")).length < 10);
});
