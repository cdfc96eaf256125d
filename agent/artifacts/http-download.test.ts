import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { FetchScene, rejection } from "./testing/fetch-scene.js";

let scene: FetchScene;

beforeEach(() => {
  scene = new FetchScene();
});

afterEach(() => scene.close());

describe("http", () => {
  test("a file keeps the name of its URL, or gets the one that is asked for", async () => {
    const url = await scene.serveBytes("hello");
    await scene.fetch(`${url}/dir/a.txt?x=1`);
    await scene.fetch(`${url}/a.txt?filename=b.txt`);
    await scene.fetch(`${url}/a.txt`, { GetterMode: "file", destination: ["t", "local", "deep", "c"] });
    expect([scene.content("a.txt"), scene.content("b.txt"), scene.content("deep/c")]).toEqual(["hello", "hello", "hello"]);
  });

  test("headers are sent, and not to another server that it redirects to", async () => {
    const seen: unknown[] = [];
    const other = createServer((request, response) => {
      seen.push(request.headers["x-token"]);
      response.end("there");
    }).listen(0, "127.0.0.1");
    await new Promise((done) => other.once("listening", done));
    const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/file`;
    const url = await scene.serve((request, response) => {
      seen.push(request.headers["x-token"]);
      if (request.url === "/a") response.writeHead(302, { Location: "/b" }).end();
      else response.writeHead(307, { Location: elsewhere }).end();
    });
    await scene.fetch(`${url}/a`, { GetterHeaders: { "X-Token": "secret" } });
    await new Promise((done) => other.close(done));
    expect(seen).toEqual(["secret", "secret", undefined]);
    expect(scene.content("a")).toBe("there");
  });

  test.each([
    ["to itself for ever", "/again", /redirects more than 10 times/],
    ["to a file of the host", "file:///etc/passwd", /redirects to file:, want http or https/],
  ])("a redirect %s is refused", async (_what, location, message) => {
    const url = await scene.serve((_request, response) => response.writeHead(302, { Location: location }).end());
    const error = await rejection(scene.fetch(`${url}/x`));
    expect([error.remedy, error.message]).toEqual(["none", expect.stringMatching(message)]);
  });

  test("a server's failure is tried again, after as long as it asks for", async () => {
    let asked = 0;
    const url = await scene.serve((_request, response) => {
      asked++;
      if (asked === 1) response.writeHead(503).end();
      else if (asked === 2) response.writeHead(429, { "Retry-After": "7" }).end();
      else response.end("at last");
    });
    await scene.fetch(`${url}/a`);
    expect([scene.content("a"), scene.clock.slept]).toEqual(["at last", [500, 7_000]]);
  });

  test("what is not there is not tried again at once, and the restart policy decides", async () => {
    let asked = 0;
    const url = await scene.serve((_request, response) => {
      asked++;
      response.writeHead(404).end();
    });
    const error = await rejection(scene.fetch(`${url}/a`));
    expect([asked, error.remedy, error.message]).toEqual([1, "restart", "bad response code: 404"]);
  });

  test("a server that is not there is tried so often and no more", async () => {
    const error = await rejection(scene.fetch("http://127.0.0.1:9/none"));
    expect([scene.clock.slept.length, error.message]).toEqual([2, expect.stringMatching(/ECONNREFUSED/)]);
  });

  test("a body that ends early is no file", async () => {
    const url = await scene.serve((_request, response) => {
      response.writeHead(200, { "Content-Length": "100" });
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    });
    await rejection(scene.fetch(`${url}/a`));
    expect(existsSync(scene.local("a"))).toBe(false);
  });

  test("a server that falls silent is given up", async () => {
    const url = await scene.serve((_request, response) => {
      response.writeHead(200);
      response.write("something");
    });
    const error = await rejection(scene.fetch(`${url}/a`, { options: { stallMs: 100, retries: 0 } }));
    expect(error.message).toMatch(/no byte came for 0\.1 s/);
  });

  test("a server that drips is given up in the end", async () => {
    const url = await scene.serve((_request, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write("."), 20);
      response.on("close", () => clearInterval(drip));
    });
    const error = await rejection(scene.fetch(`${url}/a`, { options: { timeoutMs: 200 } }));
    expect([error.remedy, error.message]).toEqual(["restart", "it was not there after 0.2 s"]);
  });

  test.each([
    ["says so", { "Content-Length": "2000" }],
    ["does not say so", {}],
  ])("a file that is too large and %s is refused", async (_what, headers) => {
    const url = await scene.serve((_request, response) => response.writeHead(200, headers).end(Buffer.alloc(2_000)));
    const error = await rejection(scene.fetch(`${url}/a`, { options: { maxBytes: 1_000 } }));
    expect([error.remedy, error.message]).toEqual(["none", expect.stringMatching(/2000 bytes, want at most 1000|more than 1000 bytes/)]);
  });

  test("an end that is asked for ends it at once", async () => {
    const url = await scene.serve(() => {});
    const stop = new AbortController();
    const fetching = scene.fetch(`${url}/a`, { signal: stop.signal });
    stop.abort(new Error("killed"));
    await expect(fetching).rejects.toThrow(/killed|aborted/);
  });
});

describe("checksums", () => {
  test("a file that has it is kept, another is not", async () => {
    const url = await scene.serveBytes("hello");
    const sha256 = createHash("sha256").update("hello").digest("hex");
    await scene.fetch(`${url}/a`, { GetterOptions: { checksum: `sha256:${sha256}` } });
    expect(scene.content("a")).toBe("hello");
    const error = await rejection(scene.fetch(`${url}/b`, { GetterOptions: { checksum: `md5:${"0".repeat(32)}` } }));
    expect(error.message).toMatch(/checksums did not match: expected md5 0{32}, got 5d41402abc4b2a76b9719d911017c592/);
    expect(existsSync(scene.local("b"))).toBe(false);
  });

  test("it may be in a list on the server", async () => {
    const sha1 = createHash("sha1").update("hello").digest("hex");
    const url = await scene.serve((request, response) => response.end(request.url === "/sums" ? `${sha1}  a\n` : "hello"));
    await scene.fetch(`${url}/a?checksum=file:${url}/sums`);
    expect(scene.content("a")).toBe("hello");
    await expect(scene.fetch(`${url}/other?checksum=file:${url}/sums`)).rejects.toThrow(/the list has none for "other"/);
  });
});

test("downloads beyond the limit wait for their turn", async () => {
  let [now, most] = [0, 0];
  const url = await scene.serve((_request, response) => {
    most = Math.max(most, ++now);
    setTimeout(() => {
      now--;
      response.end("x");
    }, 20);
  });
  const fetch = scene.fetcher({ maxConcurrent: 2 });
  await Promise.all([1, 2, 3, 4, 5].map((i) => fetch(`${url}/f${i}`)));
  expect([most, readdirSync(scene.local()).length]).toEqual([2, 5]);
});
