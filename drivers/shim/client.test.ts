import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShimClient } from "./client.js";
import { encodeFrame, FrameDecoder } from "./frames.js";
import type { RequestHeader, RunExit, RunInfo } from "./protocol.js";

const exit: RunExit = { exitCode: 7, signal: 0, oomKilled: false, error: "" };
const running: RunInfo = { runId: "r", pid: 9, exit: null, members: "", cwd: "/", user: null };
const ignore = (): void => {};

let dir: string;
let server: Server;
let client: ShimClient;
/** What the shim of these tests answers to a request: bytes. */
let answer: (request: RequestHeader, socket: Socket) => Buffer;
const reply = (id: number, result: unknown): Buffer => encodeFrame({ id, ok: true, result });

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "allocd-client-test-"));
  server = createServer((socket) => {
    const decoder = new FrameDecoder<RequestHeader>();
    socket.on("error", ignore);
    socket.on("data", (chunk) => {
      for (const { header } of decoder.push(chunk)) {
        if (header.op === "hello") socket.write(reply(header.id, { version: 1, pid: 1, bootId: "b", cgroups: "v1" }));
        else socket.write(answer(header, socket));
      }
    });
  });
  const path = join(dir, "s");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  client = new ShimClient({ path, launch: ignore, log: { info: ignore, warn: ignore } });
});
afterEach(async () => {
  client.close();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

test("an end that comes in one piece with the list is not missed", async () => {
  let lists = 0;
  answer = ({ id }) =>
    ++lists === 1
      ? reply(id, { runs: [], sessions: [] })
      : Buffer.concat([reply(id, { runs: [running], sessions: [] }), encodeFrame({ notice: "run.exited", runId: "r", exit })]);
  await client.start();
  const { runs } = await client.list();
  expect(runs).toEqual([running]);
  // Whoever looks at the list may have something else to find out first.
  await new Promise(setImmediate);
  expect(await client.waitRun("r")).toEqual(exit);
});

test("an end that came while the connection was lost, between the list and the wait, is not missed", async () => {
  let lists = 0;
  const sockets: Socket[] = [];
  answer = ({ id }, socket) => {
    sockets.push(socket);
    lists++;
    const seen = lists === 2 ? [running] : lists === 3 ? [{ ...running, exit }] : [];
    return reply(id, { runs: seen, sessions: [] });
  };
  await client.start();
  await client.list();
  sockets.at(-1)?.destroy();
  while (lists < 3) await new Promise(setImmediate);
  // An answer that comes after the reconnection.
  await client.list();
  expect(await client.waitRun("r")).toEqual(exit);
});

test("a client that is closed while no shim comes up gives up", async () => {
  await new Promise((resolve) => server.close(resolve));
  const started = client.start();
  client.close();
  await expect(started).rejects.toMatchObject({ code: "ESRCH" });
  server.listen(join(dir, "s"));
});
