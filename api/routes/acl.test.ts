import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { AclService } from "../../agent/acl/acl-service.js";
import { SystemClock } from "../../agent/clock.js";
import { MemoryStore } from "../../agent/store/memory-store.js";
import { type AclFixture, startAclApi } from "../testing/acl-fixture.js";
import { startApi } from "../testing/fixture.js";
import { UNKNOWN_ID } from "../testing/objects.js";

let api: AclFixture;

beforeEach(async () => {
  api = await startAclApi();
});

afterEach(() => api.close());

const root = () => api.as(api.management);
// biome-ignore lint/suspicious/noExplicitAny: a test reads what it knows to be there
const send = async (method: string, path: string, body: unknown = ""): Promise<{ status: number; text: string; json: any }> =>
  // biome-ignore lint/suspicious/noExplicitAny: as above
  api.http.send(method, path, body, root()) as any;

test("a policy is written, read with its rules, listed without them and removed", async () => {
  const Rules = 'namespace "default" {\n  policy = "read"\n}\n';
  const written = await send("PUT", "/v1/acl/policy/readers", { Name: "readers", Description: "d", Rules });
  expect([written.status, written.text]).toEqual([200, ""]);
  const read = (await api.http.get("/v1/acl/policy/readers", root())).json;
  expect(read).toMatchObject({ Name: "readers", Description: "d", Rules, RulesJSON: { Namespaces: [{ Name: "default" }] } });
  const [stub] = (await api.http.get("/v1/acl/policies", root())).json as object[];
  expect(Object.keys(stub ?? {}).sort()).toEqual(["CreateIndex", "Description", "Hash", "ModifyIndex", "Name"]);
  expect((await send("DELETE", "/v1/acl/policy/readers")).status).toBe(200);
  expect(await api.http.get("/v1/acl/policy/readers", root())).toMatchObject({ status: 404, text: "ACL policy not found" });
});

test("a secret is told once, and nothing that is stored or answered later has it", async () => {
  await send("PUT", "/v1/acl/policy/p", { Rules: "" });
  const made = await send("POST", "/v1/acl/token", { Name: "t", Policies: ["p"], ExpirationTTL: "2h" });
  const { AccessorID, SecretID } = made.json;
  expect(made.json).toMatchObject({ Name: "t", Type: "client", Policies: ["p"], Roles: null, Global: false });
  expect(Date.parse(made.json.ExpirationTime) - Date.parse(made.json.CreateTime)).toBe(7_200_000);
  for (const path of [`/v1/acl/token/${AccessorID}`, "/v1/acl/tokens"]) {
    const text = (await api.http.get(path, root())).text;
    expect(text).not.toContain(SecretID);
    expect(text).not.toContain("SecretHash");
  }
  const self = await api.http.get("/v1/acl/token/self", api.as(SecretID));
  expect([self.status, self.json]).toEqual([200, expect.objectContaining({ AccessorID, SecretID: "" })]);
  expect(JSON.stringify(api.store.acl.tokens(), (_key, value) => (typeof value === "bigint" ? String(value) : value))).not.toContain(
    SecretID,
  );
  expect(await send("PUT", `/v1/acl/token/${AccessorID}`, { Name: "renamed", Policies: ["p"] })).toMatchObject({
    status: 200,
    json: { Name: "renamed", SecretID: "" },
  });
});

test("roles name policies, tokens get them by id or name, and a client sees its own", async () => {
  await send("PUT", "/v1/acl/policy/readers", { Rules: '{"namespace":{"default":{"policy":"read"}}}' });
  const role = (await send("PUT", "/v1/acl/role", { Name: "ops", Policies: [{ Name: "readers" }] })).json;
  expect(role).toMatchObject({ Name: "ops", Policies: [{ Name: "readers" }] });
  const { SecretID } = (await send("POST", "/v1/acl/token", { Name: "t", Roles: [{ Name: "ops" }] })).json;
  expect((await api.http.get("/v1/allocations", api.as(SecretID))).status).toBe(200);
  for (const path of ["/v1/acl/roles", `/v1/acl/role/${role.ID}`, "/v1/acl/role/name/ops", "/v1/acl/policy/readers", "/v1/acl/policies"])
    expect([path, (await api.http.get(path, api.as(SecretID))).text]).toEqual([path, expect.stringMatching(/ops|readers/)]);
  const other = (await send("PUT", "/v1/acl/role", { Name: "other", Policies: [{ Name: "readers" }] })).json;
  expect((await api.http.get(`/v1/acl/role/${other.ID}`, api.as(SecretID))).status).toBe(403);
  expect((await api.http.get(`/v1/acl/role/${UNKNOWN_ID}`, api.as(SecretID))).status).toBe(403);
  expect((await send("PUT", `/v1/acl/role/${role.ID}`, { Name: "ops2", Policies: [{ Name: "readers" }] })).json.ID).toBe(role.ID);
  await send("DELETE", `/v1/acl/role/${role.ID}`);
  expect((await api.http.get("/v1/allocations", api.as(SecretID))).status).toBe(403);
});

test("the anonymous policy is that of callers without a token", async () => {
  expect((await api.http.get("/v1/nodes")).status).toBe(403);
  await send("PUT", "/v1/acl/policy/anonymous", { Rules: '{"node":{"policy":"read"}}' });
  expect((await api.http.get("/v1/nodes")).status).toBe(200);
  expect((await api.http.get("/v1/nodes", api.as(UNKNOWN_ID))).status).toBe(403);
});

test.each([
  ["PUT", "/v1/acl/policy/a b", { Rules: "" }, /Policy\.Name: got "a b"/],
  ["PUT", "/v1/acl/policy/p", { Name: "q", Rules: "" }, /Policy\.Name: got "q", want the path's "p"/],
  ["PUT", "/v1/acl/policy/p", { Rules: "nonsense" }, /Rules: rules\.hcl:1/],
  ["PUT", "/v1/acl/policy/p", { Rules: 7 }, /Policy\.Rules: got 7, want a string/],
  ["PUT", "/v1/acl/token", {}, /Token\.Policies: got nothing, want at least one/],
  ["PUT", "/v1/acl/token", { Policies: ["nope"] }, /cannot find policy nope/],
  ["PUT", "/v1/acl/token", { Roles: [{ Name: "nope" }] }, /cannot find role nope/],
  ["PUT", "/v1/acl/token", { Type: "management", Policies: ["p"] }, /management token cannot be associated/],
  ["PUT", "/v1/acl/token", { Type: "root" }, /Token\.Type: got "root", want one of client, management/],
  ["PUT", "/v1/acl/token", { Type: "management", AccessorID: UNKNOWN_ID }, /AccessorID/],
  ["PUT", "/v1/acl/token", { Type: "management", ExpirationTTL: "soon" }, /Token\.ExpirationTTL: got "soon"/],
  ["PUT", "/v1/acl/token", { Type: "management", ExpirationTTL: "999999h" }, /expiration time: want one from/],
  ["PUT", "/v1/acl/token", { Type: "management", ExpirationTime: "yesterday" }, /Token\.ExpirationTime: got "yesterday"/],
  ["PUT", "/v1/acl/role", { Name: "r" }, /Role\.Policies: got nothing, want at least one policy/],
  ["PUT", "/v1/acl/role", { Name: "r", Policies: [{ Name: "nope" }] }, /cannot find policy nope/],
])("%s %s with %j is 400", async (method, path, body, message) => {
  expect(await send(method, encodeURI(path), body)).toMatchObject({ status: 400, text: expect.stringMatching(message) });
});

test("what is not there is 404, a role's name that is taken is 409", async () => {
  for (const path of [`/v1/acl/token/${UNKNOWN_ID}`, `/v1/acl/role/${UNKNOWN_ID}`, "/v1/acl/policy/none"])
    expect([path, (await send("DELETE", path)).status]).toEqual([path, 404]);
  await send("PUT", "/v1/acl/policy/p", { Rules: "" });
  await send("PUT", "/v1/acl/role", { Name: "r", Policies: [{ Name: "p" }] });
  expect((await send("PUT", "/v1/acl/role", { Name: "r", Policies: [{ Name: "p" }] })).status).toBe(409);
});

test("bootstrap is once, also when two come together", async () => {
  expect(await send("POST", "/v1/acl/bootstrap")).toMatchObject({ status: 400, text: /^ACL bootstrap already done \(reset index: \d+\)$/ });
});

test("an operator's own secret, two at once, and a reset", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "allocd-bootstrap-"));
  const clock = new SystemClock();
  const log = pino({ level: "silent" });
  const store = new MemoryStore({ clock, log });
  const acl = new AclService({ store, clock, log, options: { minTtlNs: 0, maxTtlNs: 1e15, dataDir } });
  try {
    await expect(acl.bootstrap("short")).rejects.toThrow("BootstrapSecret: want a UUID");
    const secret = "2b778dd9-f5f1-6f29-b4b4-9a5fa948757a";
    const [first, second] = await Promise.allSettled([acl.bootstrap(secret), acl.bootstrap()]);
    expect([first.status, second.status]).toEqual(["fulfilled", "rejected"]);
    const index = store.acl.bootstrapIndex;
    writeFileSync(join(dataDir, "acl-bootstrap-reset"), `${index + 1}\n`);
    await expect(acl.bootstrap()).rejects.toThrow(`Invalid bootstrap reset index (specified ${index + 1}, reset index: ${index})`);
    writeFileSync(join(dataDir, "acl-bootstrap-reset"), `${index}\n`);
    expect((await acl.bootstrap()).secret).not.toBe(secret);
    expect(existsSync(join(dataDir, "acl-bootstrap-reset"))).toBe(false);
    await expect(acl.bootstrap()).rejects.toThrow(/already done/);
  } finally {
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("without access control its endpoints say so", async () => {
  const open = await startApi();
  for (const [method, path] of [
    ["GET", "/v1/acl/tokens"],
    ["GET", "/v1/acl/policies"],
    ["GET", "/v1/acl/roles"],
    ["GET", "/v1/acl/token/self"],
    ["POST", "/v1/acl/bootstrap"],
  ] as const)
    expect([path, await open.http.request(method, path)]).toEqual([
      path,
      expect.objectContaining({ status: 400, text: "ACL support disabled" }),
    ]);
  await open.close();
});
