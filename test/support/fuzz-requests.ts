import type { Chance } from "./random.js";

/** What requests are made of. */
export interface FuzzWords {
  /** Paths of endpoints, with `:id` and the like in them. */
  readonly paths: readonly string[];
  /** Put in for variables of paths, and for values. */
  readonly ids: readonly string[];
  readonly tokens: readonly string[];
}

const methods = [
  "GET",
  "GET",
  "GET",
  "PUT",
  "POST",
  "DELETE",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "TRACE",
  "CONNECT",
  "get",
  "G\u00cbT",
  "QUERY",
  "",
];
const parameters = [
  "prefix",
  "filter",
  "next_token",
  "per_page",
  "index",
  "wait",
  "namespace",
  "region",
  "stale",
  "pretty",
  "reverse",
  "resources",
  "task_states",
  "task",
  "type",
  "path",
  "offset",
  "origin",
  "limit",
  "follow",
  "plain",
  "command",
  "tty",
  "ws_handshake",
  "purge",
  "global",
  "job",
  "status",
  "node_id",
];
const texts = [
  "",
  "0",
  "1",
  "-1",
  "1e400",
  "9007199254740993",
  "true",
  "*",
  "default",
  "default\u0000",
  "../../etc/passwd",
  "%00",
  "%",
  "%zz",
  "%c0%af",
  "%2e%2e%2f",
  "\u00e9",
  "\ud83d\ude00",
  "a".repeat(5_000),
  "[]",
  '["sh"]',
  "{}",
  "null",
  "1ms",
  "5s",
  'ID == "x"',
  'ID matches "(a+)+$"',
  "((((",
  "' OR 1=1",
  "<script>",
  "${jndi:x}",
  "__proto__",
  "constructor",
  "stdout",
  "end",
  "/",
  "alloc/logs",
];
const hosts = ["127.0.0.1", "localhost:4646", "[::1]", "evil.example", "", "127.0.0.1:99999", "a,b", "localhost\u00e9", "[", "@"];
const headers: readonly (readonly [string, readonly string[]])[] = [
  ["Origin", ["http://evil.example", "null", "http://127.0.0.1", "", "http://localhost:4646"]],
  ["Sec-Fetch-Site", ["cross-site", "same-origin", "none", "x"]],
  ["Sec-Fetch-Mode", ["navigate", "cors"]],
  ["Sec-Fetch-Dest", ["document", "iframe"]],
  ["Authorization", ["Bearer", "Bearer ", "Bearer x", "Basic eDp5", "bearer\tx", "x".repeat(3_000)]],
  ["Accept-Encoding", ["gzip", "gzip;q=0", "br, gzip;q=0.0", "*", ",,,"]],
  ["Content-Type", ["application/json", "text/html", "multipart/form-data; boundary=x", "x/y/z"]],
  ["Content-Encoding", ["gzip", "identity", "deflate, gzip"]],
  ["Transfer-Encoding", ["chunked", "gzip", "chunked, chunked", "identity"]],
  ["Expect", ["100-continue", "200-ok"]],
  ["Upgrade", ["websocket", "h2c", "websocket, h2c"]],
  ["Connection", ["Upgrade", "close", "keep-alive", "Upgrade, close"]],
  ["Sec-WebSocket-Key", ["dGhlIHNhbXBsZSBub25jZQ==", "short", ""]],
  ["Sec-WebSocket-Version", ["13", "12", "x"]],
  ["Range", ["bytes=0-1", "bytes=-1"]],
  ["X-Forwarded-For", ["127.0.0.1"]],
  ["Content-Length", ["0", "5", "-1", "999999999999", "1e3", "0x10", "1, 2"]],
  ["Cookie", ["a=b".repeat(500)]],
  ["X-Many", ["y".repeat(70_000), "\u0001", "a\tb"]],
];
const bodies = [
  "",
  "{",
  "{}",
  "[]",
  "null",
  "7",
  '"x"',
  '{"Job":null}',
  '{"Job":{}}',
  '{"Job":{"ID":"a","TaskGroups":[{}]}}',
  '{"Rules":"namespace \\"x\\" {"}',
  '{"Name":"n","Policies":["p"]}',
  '{"BootstrapSecret":7}',
  '{"Signal":"SIGHUP"}',
  '{"Signal":{}}',
  '{"ID":"x","Job":[]}',
  `${"[".repeat(5_000)}`,
  '{"__proto__":{"x":1}}',
  "\u0000\u0001\u0002",
  '{"a":1e999}',
  '{"Type":"management","ExpirationTTL":-1}',
];

/** One request as bytes: mostly nearly right, so that it gets far, sometimes broken in any place. */
export function fuzzRequest(chance: Chance, words: FuzzWords): Buffer {
  const some = <T>(all: readonly T[], odds: number): readonly T[] => all.filter(() => chance.number(odds) === 0);
  const value = (): string => chance.pick([chance.pick(texts), chance.pick(words.ids), chance.pick(words.ids)]);
  const encoded = (text: string): string =>
    chance.number(3) === 0 ? text.replaceAll(/[\r\n ]/g, "+") : encodeURIComponent(text.replaceAll(/[\ud800-\udfff]/gu, ""));
  const path = chance
    .pick(words.paths)
    .replaceAll(/\{?[:*]\w+\}?/g, () => encoded(value()))
    .replaceAll("/", () => (chance.number(60) === 0 ? chance.pick(["//", "/./", "/../", "/%2f/", "\\"]) : "/"));
  const query = some(parameters, 12).map((name) => `${name}=${encoded(value())}`);
  // Nobody has the time to wait for a change.
  if (query.some((part) => part.startsWith("index="))) query.push("wait=1ms");
  const method = chance.number(4) === 0 ? chance.pick(methods) : chance.pick(["GET", "PUT", "POST", "DELETE"]);
  const body = method === "GET" && chance.number(5) > 0 ? "" : chance.pick(bodies);
  const lines = [
    `${method} ${path}${query.length > 0 ? `?${query.join("&")}` : ""} HTTP/${chance.number(50) === 0 ? chance.pick(["1.0", "2.0", "0.9", "x"]) : "1.1"}`,
    `Host: ${chance.number(6) === 0 ? chance.pick(hosts) : "127.0.0.1"}`,
    ...(chance.number(3) === 0 ? [] : [`X-Nomad-Token: ${chance.pick(words.tokens)}`]),
    ...some(headers, 25).map(([name, values]) => `${name}: ${chance.pick(values)}`),
    ...(body === "" ? [] : [`Content-Length: ${Buffer.byteLength(body) + (chance.number(20) === 0 ? chance.number(9) - 4 : 0)}`]),
    ...(chance.number(3) === 0 ? ["Connection: close"] : []),
  ];
  const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "utf8");
  for (let flips = chance.number(12) === 0 ? 1 + chance.number(4) : 0; flips > 0; flips--)
    bytes[chance.number(bytes.length)] = chance.number(256);
  return chance.number(40) === 0 ? bytes.subarray(0, chance.number(bytes.length)) : bytes;
}
