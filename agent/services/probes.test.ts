import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { aCheck } from "../allocs/testing/fixtures.js";
import type { ServiceCheck } from "../model/job.js";
import { httpProbe } from "./http-probe.js";
import { tcpProbe } from "./tcp-probe.js";

const host = "127.0.0.1";
const never = new AbortController().signal;
const servers: (Server | TcpServer)[] = [];

async function listening(server: Server | TcpServer): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}
const http = (listener: RequestListener): Promise<number> => listening(createServer(listener));
const silent = (): Promise<number> => listening(createTcpServer());
async function closedPort(): Promise<number> {
  const server = createTcpServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
const openConnections = (server: Server | TcpServer): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

afterEach(async () => {
  for (const server of servers.splice(0)) {
    // Whatever a probe had open is closed by the time its result is there, or a moment later.
    for (let turn = 0; turn < 200 && (await openConnections(server)) > 0; turn++) await new Promise(setImmediate);
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
});

describe("tcp", () => {
  test("a port that takes connections is well", async () => {
    expect(await tcpProbe(host, await silent())(never)).toEqual({ outcome: "success", output: "nomad: tcp ok", code: 0 });
  });

  test("one that does not is told in the reference's words", async () => {
    const port = await closedPort();
    expect(await tcpProbe(host, port)(never)).toEqual({
      outcome: "failure",
      output: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
      code: 0,
    });
  });

  test("the end of its time is a timeout", async () => {
    const over = AbortSignal.abort();
    expect((await tcpProbe(host, await silent())(over)).output).toMatch(/^dial tcp 127\.0\.0\.1:\d+: i\/o timeout$/);
  });
});

describe("http", () => {
  const probe = async (port: number, more: Partial<ServiceCheck> = {}, signal = never) =>
    httpProbe(aCheck("h", { Type: "http", Path: "/health?deep=1", ...more }), host, port)(signal);

  test("200 is well, whatever it says", async () => {
    const port = await http((_request, response) => response.end("x".repeat(100_000)));
    expect(await probe(port)).toEqual({ outcome: "success", output: "nomad: http ok", code: 200 });
  });

  test.each([
    [204, "success"],
    [399, "success"],
    [400, "failure"],
    [503, "failure"],
  ] as const)("%i is a %s with the start of the body", async (status, outcome) => {
    const port = await http((_request, response) => response.writeHead(status).end(status === 204 ? undefined : "y".repeat(100_000)));
    const result = await probe(port);
    expect([result.outcome, result.code, result.output]).toEqual([outcome, status, status === 204 ? "" : "y".repeat(3 * 1024)]);
  });

  test("method, path, headers and body arrive", async () => {
    const seen: unknown[] = [];
    const port = await http((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => {
        seen.push([request.method, request.url, request.headers["x-a"], request.headers["user-agent"], request.headers.host, body]);
        response.end();
      });
    });
    await probe(port, { Method: "post", Header: { "X-A": ["1", "2"], "User-Agent": ["me"], Host: ["web"] }, Body: "ping" });
    await probe(port);
    expect(seen).toEqual([
      ["POST", "/health?deep=1", "1, 2", "me", "web", "ping"],
      ["GET", "/health?deep=1", undefined, "allocd/check", `127.0.0.1:${port}`, ""],
    ]);
  });

  test("redirects are followed, but not for ever", async () => {
    const port = await http((request, response) => {
      if (request.url === "/end") response.end();
      else response.writeHead(302, { Location: request.url === "/loop" ? "/loop" : "/end" }).end();
    });
    expect(await probe(port)).toMatchObject({ outcome: "success", code: 200 });
    expect((await probe(port, { Path: "/loop" })).output).toMatch(/stopped after 10 redirects$/);
  });

  test("nobody there, and an end in the middle, are failures that say so", async () => {
    const closed = await closedPort();
    expect((await probe(closed, { Path: "/" })).output).toBe(
      `nomad: Get "http://127.0.0.1:${closed}/": dial tcp 127.0.0.1:${closed}: connect: connection refused`,
    );
    const rude = await http((request) => request.socket.destroy());
    expect((await probe(rude)).outcome).toBe("failure");
  });

  test("an answer that does not come, or does not end, is a timeout", async () => {
    const port = await http((request, response) => {
      if (request.url === "/slow") response.writeHead(500).write("half");
    });
    for (const Path of ["/", "/slow"]) {
      const over = new AbortController();
      const result = probe(port, { Path }, over.signal);
      setImmediate(() => over.abort());
      expect((await result).output).toMatch(/i\/o timeout$/);
    }
  });

  test("a server that speaks no TLS is a failure of an https check", async () => {
    const port = await http((_request, response) => response.end());
    expect((await probe(port, { Protocol: "https" })).outcome).toBe("failure");
  });
});
