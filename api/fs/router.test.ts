import { appendFileSync, rmSync, symlinkSync } from "node:fs";
import { type ClientRequest, createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type NextFunction, type Request, type Response } from "express";
import { SystemClock } from "../../agent/clock.js";
import { MemoryStore } from "../../agent/store/memory-store.js";
import { FsScene, heldFiles, sceneAllocId as id } from "../../test/support/fs-scene.js";
import { type Answer, ask } from "../../test/support/http.js";
import { expectNothingHeld, type Holdings, holdings } from "../../test/support/leaks.js";
import { waitFor } from "../../test/support/wait.js";
import { OpenAuthority } from "../acl/authority.js";
import { callersOf } from "../acl/caller-of.js";
import { createFsRouter } from "./router.js";

let before: Holdings;
let scene: FsScene;
let server: Server;
let base: string;

beforeEach(async () => {
  before = holdings();
  scene = new FsScene({ heartbeatMs: 50, maxFollowers: 3 });
  const app = express();
  app.use(
    "/v1/client/fs",
    createFsRouter({
      files: scene.files,
      log: scene.log,
      store: new MemoryStore({ clock: new SystemClock(), log: scene.log }),
      callerOf: callersOf(new OpenAuthority()),
    }),
  );
  app.use((error: Error & { status?: number }, _request: Request, response: Response, _next: NextFunction) => {
    response
      .status(error.name === "InvalidField" ? 400 : (error.status ?? 500))
      .type("text/plain")
      .send(error.message);
  });
  server = createServer(app).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/client/fs`;
  scene.write("t/local/f", "hello-world");
  scene.write("t/secrets/key", "s3cret");
  scene.write("alloc/logs/t.stdout.0", "0123456789");
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await waitFor("files to be closed", () => heldFiles() === 0 && scene.watchers === 0);
  scene.remove();
  await expectNothingHeld(before);
});

const get = (path: string, method = "GET"): Promise<Answer> => ask(base + path, method);

interface Frame {
  readonly Data?: string;
  readonly File?: string;
  readonly Offset?: number;
  readonly FileEvent?: string;
}
const frames = (text: string): Frame[] => text.split(/(?<=\})(?=\{)/).map((frame) => JSON.parse(frame));

/** A response that is read as it comes, or not at all. */
async function follow(path: string): Promise<{ response: IncomingMessage; text: () => string; ended: () => boolean; drop: () => void }> {
  const outgoing: ClientRequest = request(base + path, { agent: false });
  outgoing.on("error", () => {});
  outgoing.end();
  const response = await new Promise<IncomingMessage>((resolve) => outgoing.once("response", resolve));
  let text = "";
  let ended = false;
  response
    .on("error", () => {})
    .once("end", () => {
      ended = true;
    });
  return {
    response,
    text: () => {
      for (let chunk = response.read(); chunk !== null; chunk = response.read()) text += chunk;
      return text;
    },
    ended: () => ended,
    drop: () => outgoing.destroy(),
  };
}

test("ls and stat answer JSON in the reference's members", async () => {
  const ls = await get(`/ls/${id}`);
  expect(ls).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
  expect(ls.json.map(({ Name }: { Name: string }) => Name)).toEqual(["alloc", "late", "t"]);
  expect(Object.keys(ls.json[0])).toEqual(["FileMode", "IsDir", "ModTime", "Name", "Size"]);
  const stat = await get(`/stat/${id}?path=t/local/f&pretty`);
  expect(stat.json).toMatchObject({ ContentType: "text/plain; charset=utf-8", FileMode: "-rw-r--r--", IsDir: false, Name: "f", Size: 11 });
  expect(stat.text).toMatch(/^\{\n {4}"ContentType".*\n\}\n$/s);
});

test.each([
  [`/cat/${id}?path=t/local/f`, "hello-world"],
  [`/readat/${id}?path=t%2Flocal%2Ff&offset=6&limit=3`, "wor"],
  [`/readat/${id}?path=t/local/f&offset=6&limit=0`, "world"],
  [`/readat/${id}?path=t/local/f&offset=600`, ""],
  [`/logs/${id}?task=t&type=stdout&plain=true`, "0123456789"],
  [`/logs/${id}?task=t&type=stdout&plain=1&offset=4`, "456789"],
  [`/logs/${id}?task=t&type=stdout&plain=true&origin=end&offset=3`, "789"],
])("%s gives %j, and no browser runs it", async (path, text) => {
  const answer = await get(path);
  expect(answer).toMatchObject({ status: 200, text });
  expect(answer.headers).toMatchObject({
    "content-type": "text/plain; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "x-content-type-options": "nosniff",
    "x-xss-protection": "1; mode=block",
  });
});

test.each([
  ["/ls/nope", 404, 'Unknown allocation "nope"'],
  [`/cat/${id.replace("1", "2")}?path=x`, 404, `Unknown allocation "${id.replace("1", "2")}"`],
  ["/logs/nope?task=t&type=stdout", 404, 'Unknown allocation "nope"'],
  ["/ls/", 400, "must provide a valid alloc id"],
  ["/ls", 400, "must provide a valid alloc id"],
  [`/banana/${id}`, 404, "Invalid method"],
  ["", 404, "Invalid method"],
  [`/ls/${id}/more`, 404, "Invalid method"],
  [`/stat/${id}`, 400, "must provide a file name"],
  [`/cat/${id}?path=`, 400, "must provide a file name"],
  [`/cat/${id}?path=t/local/none`, 404, "open t/local/none: no such file or directory"],
  [`/cat/${id}?path=t/local`, 400, 'file "t/local" is a directory'],
  [`/cat/${id}?path=../../../etc/passwd`, 403, "Path escapes the alloc directory"],
  [`/cat/${id}?path=t/secrets/key`, 403, "Reading secret file prohibited: t/secrets/key"],
  [`/stream/${id}?path=t/secrets/key`, 403, "Reading secret file prohibited: t/secrets/key"],
  [`/cat/${id}?path=a&path=b`, 400, '"path": given more than once, want it once'],
  [`/readat/${id}?path=t/local/f`, 400, "offset: got nothing, want a whole number of bytes, 0 or more"],
  [`/readat/${id}?path=t/local/f&offset=-5`, 400, 'offset: got "-5", want a whole number of bytes, 0 or more'],
  [`/readat/${id}?path=t/local/f&offset=0&limit=1e3`, 400, 'limit: got "1e3", want a whole number of bytes, 0 or more'],
  [
    `/stream/${id}?path=t/local/f&offset=99999999999999999999`,
    400,
    'offset: got "99999999999999999999", want a whole number of bytes, 0 or more',
  ],
  [`/stream/${id}?path=t/local/f&origin=middle`, 400, 'origin must be start or end: got "middle"'],
  [`/stream/${id}?path=t/local/none`, 404, "open t/local/none: no such file or directory"],
  [`/logs/${id}?type=stdout&plain=true`, 400, "must provide task name"],
  [`/logs/${id}?task=t`, 400, "must provide log type (stdout/stderr)"],
  [`/logs/${id}?task=t&type=banana`, 400, 'must provide log type (stdout/stderr): got "banana"'],
  [`/logs/${id}?task=nope&type=stdout`, 400, 'unknown task name "nope"'],
  [`/logs/${id}?task=late&type=stdout`, 404, 'task "late" not started yet. No logs available'],
  [`/logs/${id}?task=t&type=stderr`, 404, 'log entry for task "t" and log type "stderr" not found'],
])("%s is %i %s", async (path, status, text) => {
  const answer = await get(path);
  expect({ status: answer.status, text: answer.text }).toEqual({ status, text });
});

test.each([
  [`/logs/${id}?task=t&type=stdout&follow=banana`, "follow"],
  [`/logs/${id}?task=t&type=stdout&plain=2`, "plain"],
  [`/stream/${id}?path=t/local/f&follow=until-dead`, "follow"],
])("%s is a 400 that names %s", async (path, name) => {
  const answer = await get(path);
  expect(answer.status).toBe(400);
  expect(answer.text).toContain(name);
});

test.each(["POST", "PUT", "DELETE", "HEAD"])("%s is 405", async (method) => {
  expect(await get(`/ls/${id}`, method)).toMatchObject({ status: 405, headers: { allow: "GET" } });
});

test("frames are JSON objects without separators, with data, file and the offset after the data", async () => {
  scene.write("alloc/logs/t.stdout.1", "ab");
  const logs = await get(`/logs/${id}?task=t&type=stdout&offset=8`);
  expect(logs.headers["content-type"]).toBe("application/json");
  expect(logs.text).toBe(
    `{"Data":"${btoa("89")}","File":"alloc/logs/t.stdout.0","Offset":10}{"Data":"${btoa("ab")}","File":"alloc/logs/t.stdout.1","Offset":2}`,
  );
  const stream = await get(`/stream/${id}?path=/t/local/f&follow=false&offset=6`);
  expect(frames(stream.text)).toEqual([{ Data: btoa("world"), File: "/t/local/f", Offset: 11 }]);
});

test("a stream follows unless told not to, with heartbeats, and tells of its file's end", async () => {
  const stream = await follow(`/stream/${id}?path=t/local/f`);
  await waitFor("a heartbeat", () => stream.text().includes("{}"));
  appendFileSync(scene.path("t/local/f"), "!");
  await waitFor("the data", () => stream.text().includes(btoa("!")));
  rmSync(scene.path("t/local/f"));
  await waitFor("the end", () => stream.text() && stream.ended());
  const told = frames(stream.text()).filter((frame) => frame.File !== undefined);
  expect(told).toEqual([
    { Data: btoa("hello-world"), File: "t/local/f", Offset: 11 },
    { Data: btoa("!"), File: "t/local/f", Offset: 12 },
    { File: "t/local/f", FileEvent: "file deleted", Offset: 12 },
  ]);
});

test("a follower gets its head before there is anything to tell, and plain logs have no heartbeats", async () => {
  const logs = await follow(`/logs/${id}?task=t&type=stdout&follow=true&plain=true&origin=end`);
  expect(logs.response.statusCode).toBe(200);
  const frames = await follow(`/logs/${id}?task=t&type=stdout&follow=true&origin=end`);
  await waitFor("heartbeats", () => frames.text().startsWith("{}{}{}"));
  expect(logs.text()).toBe("");
  appendFileSync(scene.path("alloc/logs/t.stdout.0"), "new");
  scene.write("alloc/logs/t.stdout.1", "er");
  await waitFor("the data", () => logs.text() === "newer");
  logs.drop();
  frames.drop();
});

test("follow=until-dead ends the response when the task is dead and all is sent", async () => {
  const logs = await follow(`/logs/${id}?task=t&type=stdout&follow=until-dead&plain=true`);
  await waitFor("the log", () => logs.text() === "0123456789");
  appendFileSync(scene.path("alloc/logs/t.stdout.0"), "bye");
  scene.setTask("dead");
  await waitFor("the end", () => logs.text() === "0123456789bye" && logs.ended());
});

test("a client that drops frees its place, its files and its watches, at any moment", async () => {
  for (let round = 0; round < 30; round++) {
    const outgoing = request(`${base}/logs/${id}?task=t&type=stdout&follow=true`, { agent: false });
    outgoing.on("error", () => {});
    outgoing.end();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
    outgoing.destroy();
  }
  await waitFor("all places to be free", async () => {
    const three = await Promise.all([1, 2, 3].map(() => follow(`/logs/${id}?task=t&type=stdout&follow=true&plain=true`)));
    for (const one of three) one.drop();
    return three.every(({ response }) => response.statusCode === 200);
  });
});

test("a follower above the limit is 429", async () => {
  const open = await Promise.all([1, 2, 3].map(() => follow(`/stream/${id}?path=t/local/f`)));
  expect(await get(`/stream/${id}?path=t/local/f`)).toMatchObject({
    status: 429,
    text: "follow: 3 streams are followed already, which is the limit",
  });
  for (const one of open) one.drop();
});

test("a client that does not read stops the reading, and gets all when it goes on", async () => {
  const mebibyte = 1024 * 1024;
  const size = 96 * mebibyte;
  for (let i = 0; i < 96; i++) appendFileSync(scene.path("t/local/large"), Buffer.alloc(mebibyte, "0123456789abcdef"));
  let read = 0;
  const open = scene.files.read.bind(scene.files);
  scene.files.read = async (...args) => {
    const { contentType, source } = await open(...args);
    const next = async (signal: AbortSignal) => {
      const piece = await source.next(signal);
      if (piece?.kind === "data") read += piece.data.length;
      return piece;
    };
    return { contentType, source: { next, close: () => source.close() } };
  };
  const cat = await follow(`/cat/${id}?path=t/local/large`);
  let looks = 0;
  let last = -1;
  await waitFor("the reading to stop", () => {
    looks = read === last ? looks + 1 : 0;
    last = read;
    return looks === 10;
  });
  // What is between the reader and the client is mostly the kernel's.
  expect(read).toBeLessThan(24 * mebibyte);
  let received = 0;
  for await (const part of cat.response) received += (part as Buffer).length;
  expect(received).toBe(size);
}, 30_000);

test("a link out of the allocation is refused by every verb", async () => {
  symlinkSync("/", scene.path("t/local/root"));
  for (const verb of ["ls", "stat", "cat", "readat", "stream"]) {
    const answer = await get(`/${verb}/${id}?path=t/local/root/etc/passwd&offset=0&follow=false`);
    expect({ verb, status: answer.status, text: answer.text }).toEqual({ verb, status: 403, text: "Path escapes the alloc directory" });
  }
});

test("a file that fails after the first byte breaks the response off instead of ending it", async () => {
  const failing = {
    next: async () =>
      failing.calls++ === 0 ? ({ kind: "data", file: "f", offset: 1, data: Buffer.from("x") } as const) : Promise.reject(new Error("EIO")),
    close: async () => {
      failing.closed = true;
    },
    calls: 0,
    closed: false,
  };
  scene.files.read = async () => ({ contentType: "text/plain", source: failing });
  await expect(get(`/cat/${id}?path=t/local/f`)).rejects.toThrow(/aborted|ECONNRESET|hang up/);
  expect(failing.closed).toBe(true);
});
