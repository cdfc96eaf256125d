import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "./config-error.js";
import { type ConfigSources, loadConfig } from "./load.js";

let dir: string;
let file: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-config-"));
  file = join(dir, "agent.json");
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function write(content: unknown): string {
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

function refusal(sources: ConfigSources): string {
  try {
    loadConfig(sources);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).not.toContain("\n");
    return message.replaceAll(file, "FILE");
  }
  throw new Error("the configuration was accepted");
}

test("without any source all settings have their defaults", () => {
  const config = loadConfig({});
  expect(config).toMatchObject({ bind_addr: "127.0.0.1", port: 4646, datacenter: "dc1", acl: { enabled: false } });
  expect(config.drivers.raw_exec.enabled).toBe(true);
  expect(config.client.max_kill_timeout).toBe(30_000);
});

test("flags win over variables, variables over the file, the file over defaults", () => {
  const path = write({ port: 1001, datacenter: "file", log: { level: "warn" } });
  const env = { ALLOCD_PORT: "1002", ALLOCD_LOG_LEVEL: "debug" };
  expect(loadConfig({ file: path })).toMatchObject({ port: 1001, datacenter: "file", log: { level: "warn" } });
  expect(loadConfig({ file: path, env })).toMatchObject({ port: 1002, datacenter: "file", log: { level: "debug" } });
  expect(loadConfig({ file: path, env, flags: { "--port": "1003" } })).toMatchObject({ port: 1003, log: { level: "debug" } });
  expect(loadConfig({ file: path, env, flags: { "--port": undefined } }).port).toBe(1002);
});

test("ALLOCD_CONFIG names the file when no flag does", () => {
  expect(loadConfig({ env: { ALLOCD_CONFIG: write({ datacenter: "by variable" }) } }).datacenter).toBe("by variable");
});

test("variables take numbers, booleans, lists and objects; what is no ALLOCD_ variable is not looked at", () => {
  const config = loadConfig({
    env: {
      ALLOCD_NODE_META: '{"rack":"r1"}',
      ALLOCD_DRIVERS_RAW_EXEC_ENABLED: "false",
      ALLOCD_DRIVERS_RAW_EXEC_DENIED_ENVVARS: '["AWS_*"]',
      ALLOCD_DATACENTER: "12",
      PORT: "99",
    },
  });
  expect(config.node.meta).toEqual({ rack: "r1" });
  expect(config.drivers.raw_exec).toMatchObject({ enabled: false, denied_envvars: ["AWS_*"] });
  expect(config).toMatchObject({ datacenter: "12", port: 4646 });
});

test.each([
  [{ portt: 1 }, "FILE: portt: no such setting, did you mean port?"],
  [{ client: { maxKillTimeout: "1s" } }, "FILE: client.maxKillTimeout: no such setting, did you mean max_kill_timeout?"],
  [{ port: "4646" }, 'FILE: port: got "4646", want a whole number from 0 to 65535'],
  [{ port: 70000 }, "FILE: port: got 70000, want a whole number from 0 to 65535"],
  [{ port: 1.5 }, "FILE: port: got 1.5, want a whole number from 0 to 65535"],
  [{ port: null }, "FILE: port: got null, want a whole number from 0 to 65535"],
  [{ client: 5 }, "FILE: client: got 5, want an object"],
  [{ client: { max_kill_timeout: 30 } }, 'FILE: client.max_kill_timeout: got 30, want a duration from 0s to 24h, such as "30s" or "1m30s"'],
  [
    { client: { max_kill_timeout: "soon" } },
    'FILE: client.max_kill_timeout: got "soon", want a duration from 0s to 24h, such as "30s" or "1m30s"',
  ],
  [
    { client: { max_kill_timeout: "-1s" } },
    'FILE: client.max_kill_timeout: got "-1s", want a duration from 0s to 24h, such as "30s" or "1m30s"',
  ],
  [{ drivers: { raw_exec: { enabled: "yes" } } }, 'FILE: drivers.raw_exec.enabled: got "yes", want true or false'],
  [{ drivers: { raw_exec: { denied_envvars: ["A", 1] } } }, "FILE: drivers.raw_exec.denied_envvars.1: got 1, want a string"],
  [
    { drivers: { raw_exec: { denied_host_uids: "0,9-3" } } },
    'FILE: drivers.raw_exec.denied_host_uids: got "0,9-3", want ids and ranges of ids, such as "0,1000-1999"',
  ],
  [{ node: { meta: { rack: 1 } } }, "FILE: node.meta.rack: got 1, want a string"],
  [{ log: { level: "loud" } }, 'FILE: log.level: got "loud", want one of trace, debug, info, warn, error'],
  [
    { client: { min_dynamic_port: 300, max_dynamic_port: 200 } },
    "FILE: client.min_dynamic_port: got 300, want at most client.max_dynamic_port, which is 200",
  ],
  [{ tls: { http: true } }, 'FILE: tls.cert_file: got "", want a file: tls.http is true'],
  [{ tls: { http: true, cert_file: "c" } }, 'FILE: tls.key_file: got "", want a file: tls.http is true'],
  [{ tls: { verify_https_client: true } }, "FILE: tls.verify_https_client: got true, want false: tls.http is false"],
  [
    { tls: { http: true, cert_file: "c", key_file: "k", verify_https_client: true } },
    'FILE: tls.ca_file: got "", want a file: tls.verify_https_client is true',
  ],
  [
    { tls: { client_roles: { a: "b" } } },
    'FILE: tls.client_roles: got {"a":"b"}, want none: they count only with acl.enabled, tls.http and tls.verify_https_client',
  ],
  [{ http: { allowed_origins: ["*"] } }, 'FILE: http.allowed_origins: got "*", want origins such as https://ops.example'],
  [{ audit: { enabled: true, path: "" } }, 'FILE: audit.path: got "", want a file: audit.enabled is true'],
  [[], "FILE: got [], want an object"],
  ['{\n  "port": 4646,\n}', "FILE:3:1: no JSON: Expected double-quoted property name"],
  ['{"port" 4646}', "FILE:1:9: no JSON: Expected ':' after property name"],
  ['{\n  "port": 4646\n', "FILE:3:1: no JSON: Expected ',' or '}'"],
  ["", "FILE:1:1: no JSON: Unexpected end of JSON input"],
])("the file %j is refused", (content, message) => {
  expect(refusal({ file: write(content) })).toContain(message);
});

test("a value of a variable or a flag is refused under its own name", () => {
  expect(refusal({ env: { ALLOCD_PORT: "many" } })).toBe('ALLOCD_PORT: got "many", want a whole number from 0 to 65535');
  expect(refusal({ flags: { "--port": "-1" } })).toBe("--port: got -1, want a whole number from 0 to 65535");
  expect(refusal({ flags: { "--bind": "0.0.0.0" } })).toMatch(/^--bind: got "0\.0\.0\.0", want a loopback address: .*acl\.enabled/);
  expect(refusal({ flags: { "--data-dir": "" } })).toBe('--data-dir: got "", want a directory');
});

test.each([
  ["", []],
  ["0", [[0, 0]]],
  [
    "0, 1000-1999",
    [
      [0, 0],
      [1000, 1999],
    ],
  ],
])("the ids %j are the ranges %j", (denied_host_uids, ranges) => {
  expect(loadConfig({ file: write({ drivers: { raw_exec: { denied_host_uids } } }) }).drivers.raw_exec.denied_host_uids).toEqual(ranges);
});

test("a mistake in the file is told although a variable covers it", () => {
  expect(refusal({ file: write({ port: "x" }), env: { ALLOCD_PORT: "1" } })).toContain("FILE: port");
});

test("an unknown variable suggests the right one", () => {
  expect(refusal({ env: { ALLOCD_DATADIR: "/x" } })).toBe("ALLOCD_DATADIR: no such setting, did you mean ALLOCD_DATA_DIR?");
});

test("a file that is not there is told by its name", () => {
  expect(refusal({ file: join(dir, "missing.json") })).toMatch(/missing\.json: can not be read: ENOENT/);
});

test.each(["127.0.0.1", "127.8.8.8", "::1", "localhost"])("%s is loopback", (bind_addr) => {
  expect(loadConfig({ file: write({ bind_addr }) }).bind_addr).toBe(bind_addr);
});

test.each(["0.0.0.0", "::", "10.0.0.1", "127.evil.example", "", "localhost.example"])("%j is not loopback", (bind_addr) => {
  expect(refusal({ file: write({ bind_addr }) })).toContain("want a loopback address");
});

test("directories are absolute, and each data directory has a runtime directory of its own", () => {
  const one = loadConfig({ flags: { "--data-dir": "data/one" } });
  const two = loadConfig({ flags: { "--data-dir": "data/two" } });
  expect(one.data_dir).toBe(join(process.cwd(), "data/one"));
  expect(one.runtime_dir).not.toBe(two.runtime_dir);
  expect(loadConfig({ file: write({ runtime_dir: "/run/mine" }) }).runtime_dir).toBe("/run/mine");
});

test.each([
  ["access control", { acl: { enabled: true } }],
  ["mutual TLS", { tls: { http: true, cert_file: "c", key_file: "k", ca_file: "a", verify_https_client: true } }],
])("with %s any address will do", (_what, settings) => {
  expect(loadConfig({ file: write({ bind_addr: "0.0.0.0", ...settings }) }).bind_addr).toBe("0.0.0.0");
});

test("TLS alone does not tell who calls", () => {
  const settings = { bind_addr: "0.0.0.0", tls: { http: true, cert_file: "c", key_file: "k" } };
  expect(refusal({ file: write(settings) })).toMatch(/bind_addr: got "0\.0\.0\.0", want a loopback address.*tls\.verify_https_client/);
});

test("paths of secrets and sockets start at the data directory", () => {
  const config = loadConfig({
    file: write({
      data_dir: "/d",
      unix_socket: { path: "api.sock" },
      acl: { bootstrap_token_file: "management.token" },
      audit: { path: "/elsewhere/audit.log" },
    }),
  });
  expect([config.unix_socket.path, config.acl.bootstrap_token_file, config.audit.path]).toEqual([
    "/d/api.sock",
    "/d/management.token",
    "/elsewhere/audit.log",
  ]);
});
