import type { IncomingMessage, ServerResponse } from "node:http";
import { Guard } from "./guard.js";

const guard = new Guard(["worker-7.example.org"]);
const check = (headers: Record<string, string>, url = "/v1/allocations", method = "GET") => {
  guard.check({ method, url, headers: { host: "127.0.0.1:4646", ...headers } } as unknown as IncomingMessage);
};

test.each([
  "127.0.0.1",
  "127.0.0.1:4646",
  "10.1.2.3:80",
  "[::1]:4646",
  "[fe80::1]",
  "localhost",
  "localhost:4646",
  "LOCALHOST:1",
  "localhost.",
  "worker-7.example.org:4646",
])("the host %s is ours", (host) => {
  expect(() => check({ host })).not.toThrow();
});

test.each([
  "evil.example",
  "evil.example:4646",
  "127.0.0.1.evil.example",
  "localhost.evil.example",
  "evil@127.0.0.1",
  "127.0.0.1/evil",
  "2130706433",
  "0x7f.1",
  "[::1",
  "[evil]",
  "",
  ":4646",
])("the host %s is refused: it may be a name that was rebound to this host", (host) => {
  expect(() => check({ host })).toThrow(/^Host: got/);
});

test.each(["http://evil.example", "null", "", "http://127.0.0.1:3000", "http://localhost:4646", "file://"])(
  "the origin %j is refused",
  (origin) => {
    expect(() => check({ origin })).toThrow(/^Origin: got/);
  },
);

test("our own origin passes", () => {
  expect(() => check({ origin: "http://127.0.0.1:4646" })).not.toThrow();
});

test.each(["cross-site", "same-site", "banana"])("a fetch that is %s is refused", (site) => {
  expect(() => check({ "sec-fetch-site": site })).toThrow(/^Sec-Fetch-Site: got/);
});

test.each(["same-origin", "none"])("a fetch that is %s passes", (site) => {
  expect(() => check({ "sec-fetch-site": site })).not.toThrow();
});

describe("a link to the UI on another site", () => {
  const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };

  test.each(["/", "/ui/", "/ui/jobs?x=1", "/ui"])("opens %s", (url) => {
    expect(() => check(link, url)).not.toThrow();
  });

  test.each(["/v1/allocations", "/ui/../v1/allocations", "/uix"])("does not open %s", (url) => {
    expect(() => check(link, url)).toThrow(/Sec-Fetch-Site/);
  });

  test("does not post, and is no frame and no upgrade", () => {
    expect(() => check(link, "/ui/", "POST")).toThrow();
    expect(() => check({ ...link, "sec-fetch-dest": "iframe" }, "/ui/")).toThrow();
    expect(() => check({ ...link, upgrade: "websocket" }, "/ui/")).toThrow();
  });

  test("does not come under a foreign name", () => {
    expect(() => check({ ...link, host: "evil.example" }, "/ui/")).toThrow(/^Host/);
  });
});

describe("an origin that an operator has listed", () => {
  const listing = new Guard([], ["https://ops.example"]);
  const answer = (headers: Record<string, string>, method = "GET") => {
    const sent: Record<string, unknown> = {};
    const response = {
      setHeader: (name: string, value: unknown) => {
        sent[name] = value;
      },
      writeHead: (status: number, more: object) => Object.assign(sent, { status }, more),
      end: () => {},
    };
    const request = { method, url: "/v1/jobs", headers: { host: "127.0.0.1:4646", "sec-fetch-site": "cross-site", ...headers } };
    const done = listing.answer(request as unknown as IncomingMessage, response as unknown as ServerResponse);
    return { done, sent };
  };

  test("may use the API and is told so", () => {
    const { done, sent } = answer({ origin: "https://ops.example" });
    expect([done, sent["Access-Control-Allow-Origin"], sent.Vary]).toEqual([false, "https://ops.example", "Accept-Encoding, Origin"]);
  });

  test("gets an answer to its browser's question", () => {
    const { done, sent } = answer({ origin: "https://ops.example", "access-control-request-method": "PUT" }, "OPTIONS");
    expect([done, sent.status, sent["Access-Control-Allow-Methods"]]).toEqual([true, 204, "GET, PUT, POST, DELETE"]);
  });

  test.each(["https://ops.example.evil", "http://ops.example", "https://ops.example:8443", "null"])("does not let %s in", (origin) => {
    expect(() => answer({ origin })).toThrow(/^Origin: got/);
    expect(() => answer({ origin, "access-control-request-method": "PUT" }, "OPTIONS")).toThrow(/^Origin: got/);
  });
});
