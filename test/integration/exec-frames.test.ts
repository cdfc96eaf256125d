import type { TestAgent } from "../support/agent.js";
import { ExecClient, execute, idleTask, onlyLeft } from "../support/exec.js";
import { processesAbout } from "../support/host.js";
import { chance, oddFrame } from "../support/random.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

/** The close codes of a session whose client sends what is no frame; 1000 and 1001 are for those that sent none. */
const refusals = [1002, 1003, 1007, 1008];

/** A session that says back what it is told, and so notices what happens to it. */
class Bystander {
  readonly #client: ExecClient;
  #said = 0;

  constructor(agent: TestAgent, id: string, tty: boolean) {
    this.#client = new ExecClient(agent, id, ["cat"], { tty });
  }

  async expectUntouched(): Promise<void> {
    await this.#client.opened;
    const word = `word ${++this.#said}.`;
    await this.#client.stdin(`${word}\n`);
    await this.#client.said(word);
  }

  async end(): Promise<void> {
    this.#client.closeStdin();
    await this.#client.end();
    expect(this.#client.exitCode).toBe(0);
  }
}

scenario("4,000 odd frames over 400 sessions end their own session with a code and nothing else", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const before = processesAbout(agent.root);
  const bystanders = [new Bystander(agent, id, false), new Bystander(agent, id, true)];
  const random = chance(4000);
  const seen = new Set<number>();
  for (let round = 0; round < 20; round++) {
    const clients = Array.from({ length: 20 }, (_, i) => new ExecClient(agent, id, ["/bin/sleep", "1000"], { tty: i % 4 === 0 }));
    for (const client of clients) {
      await client.opened;
      for (let i = 0; i < 10; i++) client.frame(oddFrame(random));
      client.frame("no JSON");
    }
    for (const client of clients) {
      const { code, reason } = await client.end();
      seen.add(code);
      expect([refusals.includes(code), reason !== ""]).toEqual([true, true]);
    }
    for (const bystander of bystanders) await bystander.expectUntouched();
  }
  expect([...seen].sort()).toEqual([1007, 1008]);
  for (const bystander of bystanders) await bystander.end();
  await onlyLeft(agent, before);
});

scenario("what is no WebSocket frame at all, or far too large, ends that session with a code and its command with it", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const before = processesAbout(agent.root);
  const bystander = new Bystander(agent, id, false);
  const masked = (opcode: number, length: number): Buffer => {
    const frame = Buffer.alloc(14 + length, "x");
    frame.writeUInt8(0x80 | opcode, 0);
    frame.writeUInt8(0x80 | 127, 1);
    frame.writeBigUInt64BE(BigInt(length), 2);
    return frame;
  };
  const wrong: readonly (readonly [string, number, Buffer])[] = [
    ["a reserved opcode", 1002, Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
    ["a frame that is not masked", 1002, Buffer.from([0x81, 0x02, 0x7b, 0x7d])],
    ["text that is no UTF-8", 1007, Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff])],
    ["2 MiB of text", 1008, masked(1, 2 * 1024 * 1024)],
    ["16 MiB of text", 1008, masked(1, 16 * 1024 * 1024)],
    ["2 MiB of bytes", 1008, masked(2, 2 * 1024 * 1024)],
  ];
  const codes: unknown[] = [];
  for (const [what, , bytes] of wrong) {
    const client = new ExecClient(agent, id, ["/bin/sleep", "1000"]);
    await client.opened;
    (client.ws as unknown as { readonly _socket: NodeJS.WritableStream })._socket.write(bytes);
    codes.push([what, (await client.end()).code]);
    await bystander.expectUntouched();
  }
  expect(codes).toEqual(wrong.map(([what, code]) => [what, code]));
  await bystander.end();
  await onlyLeft(agent, before);
});

scenario("of a storm of 1,000 sizes the last one holds", async (start) => {
  const agent = await start();
  const client = new ExecClient(agent, await idleTask(agent), ["/bin/sh", "-c", "echo ready; read line; stty size"], { tty: true });
  await client.said("ready");
  for (let i = 1; i <= 1000; i++) client.resize(1 + (i % 200), 1 + ((i * 7) % 300));
  client.resize(51, 133);
  await client.stdin("\n");
  await client.end();
  expect(client.stdout.toString()).toContain("51 133\r\n");
  expect(client.exitCode).toBe(0);
});

scenario("every reason of a refusal fits into a close frame", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const long = "ü🦊".repeat(200);
  const refused = [
    new ExecClient(agent, id, [long]),
    new ExecClient(agent, id, ["true"], { task: long }),
    new ExecClient(agent, long, ["true"]),
    new ExecClient(agent, "00000000-1111-2222-3333-444444444444", ["true"]),
    new ExecClient(agent, id, []),
  ];
  const late = new ExecClient(agent, id, ["/bin/sleep", "1000"]);
  await late.opened;
  late.frame(`"${long}"`);
  for (const client of [...refused, late]) {
    const { code, reason } = await client.end();
    expect([1008, 1011]).toContain(code);
    expect(Buffer.byteLength(reason)).toBeGreaterThan(10);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    expect(reason).not.toContain("\ufffd");
    expect(client.marks).toEqual([]);
  }
});

scenario("one session more than http.max_exec_sessions is refused with the reason, until another has ended", async (start) => {
  const agent = await start({ config: { http: { max_exec_sessions: 2 } } });
  const id = await idleTask(agent);
  const held = [new ExecClient(agent, id, ["cat"]), new ExecClient(agent, id, ["cat"])] as const;
  for (const client of held) {
    await client.opened;
    await client.stdin("up");
    await client.said("up");
  }
  const third = new ExecClient(agent, id, ["true"]);
  expect(await third.end()).toEqual({ code: 1008, reason: "there are 2 exec sessions already" });
  held[0].closeStdin();
  await held[0].end();
  await waitFor("room", async () => (await execute(agent, id, "exit 7")).exitCode === 7);
  held[1].drop();
});
