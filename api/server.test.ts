import net from "node:net";
import type { ApiDeps } from "./deps.js";
import { type Fixture, startApi } from "./testing/fixture.js";
import { UNKNOWN_ID } from "./testing/objects.js";

let fixture: Fixture;
const start = async (overrides?: Partial<ApiDeps>): Promise<Fixture> => {
  fixture = await startApi(overrides);
  return fixture;
};
afterEach(() => fixture.close());

/** Sends bytes as they are and collects what comes back until the other side ends. */
const raw = (bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(fixture.http.port, "127.0.0.1", () => socket.write(bytes));
    let got = "";
    socket.on("data", (chunk) => {
      got += chunk;
    });
    socket.on("end", () => {
      socket.destroy();
      resolve(got);
    });
    socket.on("error", reject);
  });

const connectionsOf = (server: net.Server): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

describe("paths and methods", () => {
  test.each(["/v1/nope", "/nope", "/v1/allocations/", "/V1/allocations", "/v1", "/ui/x"])(
    "the unknown path %s is 404 without a body",
    async (path) => {
      const { http } = await start();
      const response = await http.get(path);
      expect([response.status, response.text, response.headers["content-type"]]).toEqual([404, "", undefined]);
      expect(response.headers.vary).toBe("Accept-Encoding");
    },
  );

  test.each([
    `/v1/allocation/${UNKNOWN_ID}/nope`,
    `/v1/allocation/${UNKNOWN_ID}/stop/now`,
    `/v1/client/allocation/${UNKNOWN_ID}/nope`,
    `/v1/client/allocation/${UNKNOWN_ID}`,
  ])("%s says that there is no such resource", async (path) => {
    const { http } = await start();
    const response = await http.get(path);
    expect([response.status, response.text]).toEqual([404, "resource not found"]);
  });

  test.each([
    ["PUT", "/v1/allocations"],
    ["DELETE", "/v1/allocations"],
    ["OPTIONS", "/v1/allocations"],
    ["POST", `/v1/allocation/${UNKNOWN_ID}`],
    ["GET", `/v1/allocation/${UNKNOWN_ID}/stop`],
    ["GET", `/v1/client/allocation/${UNKNOWN_ID}/signal`],
    ["GET", `/v1/client/allocation/${UNKNOWN_ID}/restart`],
    ["PATCH", "/v1/jobs"],
  ])("%s %s is 405", async (method, path) => {
    const { http, calls } = await start();
    const response = await http.request(method, path);
    expect([response.status, response.text]).toEqual([405, "Invalid method"]);
    expect(response.headers.allow).toBeTruthy();
    expect(response.headers.vary).toBe("Accept-Encoding");
    expect(calls).toEqual([]);
  });

  test("HEAD is 405 without a body", async () => {
    const { http } = await start();
    const response = await http.request("HEAD", "/v1/allocations");
    expect([response.status, response.text]).toEqual([405, ""]);
  });

  test.each([
    ["/", "/ui/"],
    ["/?x=1", "/ui/?x=1"],
    ["/v1/allocation//stop", "/v1/allocation/stop"],
    ["//evil.example/v1/../..", "/"],
  ])("%s leads to %s", async (path, location) => {
    const { http } = await start();
    const response = await http.get(path);
    expect([response.status, response.headers.location]).toEqual([307, location]);
  });

  test("a path that can not be decoded is the caller's mistake", async () => {
    const { http, logged } = await start();
    const response = await http.get("/v1/job/%zz");
    expect(response.status).toBe(400);
    expect(response.text).toMatch(/%zz/);
    expect(logged).toEqual([]);
  });

  test.each(["GET http://127.0.0.1/v1/jobs HTTP/1.1", "OPTIONS * HTTP/1.1"])("%s is answered", async (line) => {
    await start();
    expect(await raw(`${line}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 400 /);
  });

  test.each([
    "banana\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    `GET /${"x".repeat(200_000)} HTTP/1.1\r\n\r\n`,
  ])("what is no HTTP ends its connection and nothing else", async (bytes) => {
    const { http } = await start();
    expect(await raw(bytes)).toMatch(/^HTTP\/1.1 4\d\d /);
    expect((await http.get("/v1/jobs")).status).toBe(200);
  });
});

describe("pages in a browser", () => {
  const mistakes = [{ Origin: "http://evil.example" }, { Origin: "null" }, { "Sec-Fetch-Site": "cross-site" }, { Host: "evil.example" }];

  test.each(mistakes)("with %j change and read nothing", async (headers) => {
    const { http, calls } = await start();
    for (const [method, path] of [
      ["GET", "/v1/allocations"],
      ["POST", "/v1/jobs"],
      ["PUT", `/v1/allocation/${UNKNOWN_ID}/stop`],
      ["GET", "/v1/nope"],
      ["OPTIONS", "/v1/jobs"],
    ] as const) {
      const response = await http.request(method, path, { headers });
      expect(response.status).toBe(403);
      expect(response.text).toMatch(/got .*, want /);
      expect(Object.keys(response.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
    expect(calls).toEqual([]);
  });

  test.each(mistakes)("with %j open no terminal", async (headers) => {
    const upgrades: string[] = [];
    const { http } = await start({ exec: { upgrade: (request) => upgrades.push(request.url ?? "") } });
    const response = await http.get(`/v1/client/allocation/${UNKNOWN_ID}/exec`, {
      headers: { Connection: "Upgrade", Upgrade: "websocket", ...headers },
    });
    expect(response.status).toBe(403);
    expect(upgrades).toEqual([]);
  });
});

describe("upgrades", () => {
  const headers = { Connection: "Upgrade", Upgrade: "websocket" };

  test("an exec is handed on with its socket", async () => {
    await start({ exec: { upgrade: (request, socket) => socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${request.url}`) } });
    const path = `/v1/client/allocation/${UNKNOWN_ID}/exec?task=t`;
    expect(await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)).toMatch(
      /101 [\s\S]*exec\?task=t/,
    );
  });

  test.each(["/v1/allocations", "/", `/v1/client/allocation/${UNKNOWN_ID}/exec/more`])("of %s are 404", async (path) => {
    const { http } = await start({ exec: { upgrade: () => {} } });
    const response = await http.get(path, { headers });
    expect([response.status, response.text]).toEqual([404, "resource not found"]);
  });

  test("a handler that throws costs its own connection only", async () => {
    const { http, logged } = await start({
      exec: {
        upgrade: () => {
          throw new Error("boom");
        },
      },
    });
    expect((await http.get(`/v1/client/allocation/${UNKNOWN_ID}/exec`, { headers })).status).toBe(500);
    expect(logged.join()).toMatch(/boom/);
    expect((await http.get("/v1/jobs")).status).toBe(200);
  });
});

describe("failures", () => {
  test("a defect is 500 with its message, and the log line has the id that the caller got", async () => {
    const { http, logged } = await start({
      allocs: { restart: () => Promise.reject(new Error("boom")), signal: () => Promise.reject(new Error("boom")), checks: () => null },
      jobs: { ...({} as ApiDeps["jobs"]), deleteAllocation: () => Promise.reject(new Error("boom")) },
    });
    const response = await http.request("DELETE", `/v1/allocation/${UNKNOWN_ID}?token=secret`);
    expect([response.status, response.text, response.headers["content-type"]]).toEqual([500, "boom", "text/plain; charset=utf-8"]);
    const [line] = logged.map((text) => JSON.parse(text));
    expect(line).toMatchObject({ requestId: response.headers["x-request-id"], method: "DELETE", path: `/v1/allocation/${UNKNOWN_ID}` });
    expect(logged.join()).not.toMatch(/secret/);
  });
});

describe("bodies", () => {
  test("50 MB are refused by the limit, told to a client that sends them all, and not kept", async () => {
    const { http, calls } = await start();
    const before = process.memoryUsage().arrayBuffers;
    const response = await http.request("PUT", "/v1/jobs", { body: Buffer.alloc(50_000_000, 0x20) });
    expect(response.status).toBe(413);
    expect(response.text).toBe("request body: got 50000000 bytes or more, want at most 10485760 bytes");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(80_000_000);
    expect(calls).toEqual([]);
  });

  test("a chunked body is refused when it passes the limit", async () => {
    const { http } = await start({ options: { maxBodyBytes: 1_000 } });
    const response = await http.request("PUT", "/v1/jobs", {
      headers: { "Transfer-Encoding": "chunked", "Content-Length": [] },
      body: "x".repeat(100_000),
    });
    expect([response.status, response.text]).toEqual([413, expect.stringMatching(/want at most 1000 bytes/)]);
  });

  test.each(["{bad", "[", '{"Job":', "nul", '{"a":1}x', "[".repeat(300_000)])("malformed JSON is 400 and stores nothing", async (body) => {
    const { http, calls } = await start();
    for (const path of ["/v1/jobs", `/v1/allocation/${UNKNOWN_ID}`]) {
      const response = await http.send("PUT", path, body);
      expect([response.status, response.text]).toEqual([400, expect.stringMatching(/^Failed to decode body: ./)]);
    }
    expect(calls).toEqual([]);
  });

  test("a body that is nested without end is 400", async () => {
    const { http, calls } = await start();
    const deep = `{"Job":{"Meta":${"[".repeat(300_000)}${"]".repeat(300_000)}}}`;
    const response = await http.send("PUT", "/v1/jobs", deep);
    expect([response.status, response.text]).toEqual([400, "Failed to decode body: nested more than 128 levels deep"]);
    expect(calls).toEqual([]);
    expect((await http.send("PUT", "/v1/jobs", `{"Job":{"x":"${"[".repeat(300)}\\"${"[".repeat(300)}"}}`)).text).toMatch(/^Job/);
  });

  test.each(["[]", "1", '"x"', "null"])("%s is no body of a request", async (body) => {
    const { http } = await start();
    const response = await http.send("PUT", "/v1/jobs", body);
    expect([response.status, response.text]).toEqual([400, `Failed to decode body: got ${body}, want a JSON object`]);
  });

  test("a compressed body is refused by name", async () => {
    const { http } = await start();
    const response = await http.send("PUT", "/v1/jobs", "{}", { headers: { "Content-Encoding": "gzip" } });
    expect([response.status, response.text]).toEqual([400, expect.stringMatching(/^Content-Encoding: got "gzip"/)]);
  });
});

describe("connections", () => {
  test("one more than an address may have is told so, and a closed one makes room", async () => {
    const { http } = await start({ options: { maxConnectionsPerAddress: 2 } });
    const connected = () =>
      new Promise<net.Socket>((resolve) => {
        const socket = net.connect(http.port, "127.0.0.1", () => resolve(socket));
      });
    const held = [await connected(), await connected()];
    expect(await raw("GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")).toBe(
      "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 81\r\n\r\nYour IP is issuing too many concurrent connections, please rate limit your calls\n",
    );
    for (const socket of held) socket.destroy();
    // The server learns of the closed ones a moment later: ask until it has.
    for (let status = 429; status !== 200; ) status = (await http.get("/v1/jobs")).status;
  });
});

describe("closing", () => {
  test("cuts terminals and half requests that are left after the grace", async () => {
    const { http, api } = await start({
      exec: { upgrade: (_request, socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n") },
      options: { closeGraceMs: 50 },
    });
    const path = `/v1/client/allocation/${UNKNOWN_ID}/exec`;
    const held = await Promise.all(
      [
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
        "PUT /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
      ].map(
        (bytes) =>
          new Promise<net.Socket>((resolve) => {
            const socket = net.connect(http.port, "127.0.0.1", () => socket.write(bytes, () => resolve(socket)));
            socket.on("error", () => {});
          }),
      ),
    );
    while ((await connectionsOf(api.server)) < held.length) await new Promise(setImmediate);
    await api.close();
    expect(await connectionsOf(api.server)).toBe(0);
    for (const socket of held) socket.destroy();
  });

  test("ends what waits with what there is, and takes nothing new", async () => {
    const { http, api } = await start();
    const waiting = http.get("/v1/allocations?index=1000&wait=60s");
    while (api.blockedQueries() === 0) await new Promise(setImmediate);
    await api.close();
    expect((await waiting).status).toBe(200);
    await expect(http.get("/v1/jobs")).rejects.toThrow();
  });
});

test.each([
  ["/v1/jobs", /^default-src 'none'; frame-ancestors 'none'; sandbox$/],
  ["/ui/", /script-src 'self'.*frame-ancestors 'none'/],
])("%s can be framed by no page and runs nothing of others", async (path, policy) => {
  const api = await startApi();
  const { headers } = await api.http.get(path);
  expect(headers).toMatchObject({
    "content-security-policy": expect.stringMatching(policy),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
  });
  await api.close();
});
