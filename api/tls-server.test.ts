import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, type RequestOptions, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { AclResolver } from "../agent/acl/resolver.js";
import { SystemClock } from "../agent/clock.js";
import { AttemptLimit } from "./acl/attempt-limit.js";
import { AclAuthority } from "./acl/authority.js";
import { type AclFixture, startAclApi } from "./testing/acl-fixture.js";
import { TlsServer } from "./tls-server.js";

let dir: string;
let api: AclFixture | undefined;

const openssl = (...args: readonly string[]): void => {
  const { status, stderr } = spawnSync("openssl", args, { cwd: dir, encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
};

/** A certificate and key `name.pem`, `name.key`, signed by our authority, or by itself. */
function certificate(name: string, subject: string, by?: string): void {
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  if (by === undefined) {
    openssl("req", "-x509", "-new", "-key", `${name}.key`, "-subj", `/CN=${subject}`, "-days", "2", "-out", `${name}.pem`);
    return;
  }
  openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${subject}`, "-out", `${name}.csr`);
  writeFileSync(join(dir, "ext"), "subjectAltName=IP:127.0.0.1\n");
  const signed = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-CAcreateserial", "-extfile", "ext", "-days", "2"];
  openssl("x509", "-req", "-in", `${name}.csr`, ...signed, "-out", `${name}.pem`);
}

const read = (name: string): Buffer => readFileSync(join(dir, name));

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-tls-"));
  certificate("ca", "our authority");
  certificate("stranger-ca", "another authority");
  certificate("first", "first.example", "ca");
  certificate("second", "second.example", "ca");
  certificate("ops", "ops", "ca");
  certificate("root", "root", "ca");
  certificate("nobody", "nobody", "ca");
  certificate("stranger", "ops", "stranger-ca");
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

afterEach(async () => {
  await api?.close();
  api = undefined;
});

async function start(options: { readonly verifyClients?: boolean; readonly minVersion?: "TLSv1.2" | "TLSv1.3" } = {}): Promise<TlsServer> {
  for (const kind of ["pem", "key"]) copyFileSync(join(dir, `first.${kind}`), join(dir, `served.${kind}`));
  const tls = new TlsServer({
    certFile: join(dir, "served.pem"),
    keyFile: join(dir, "served.key"),
    caFile: join(dir, "ca.pem"),
    verifyClients: false,
    minVersion: "TLSv1.2",
    ...options,
  });
  const clock = new SystemClock();
  api = await startAclApi({ clock }, (store) => ({
    makeServer: tls.make,
    authority: new AclAuthority({
      resolver: new AclResolver({ store, clock, options: { tokenTtlMs: 1_000, policyTtlMs: 1_000 } }),
      attempts: new AttemptLimit(clock, { maxFailures: 0, windowMs: 1 }),
      certificateRoles: { ops: "ops", root: "management" },
      watch: store.watch,
      clock,
    }),
  }));
  await api.acl.putPolicy({ Name: "nodes", Description: "", Rules: '{"node":{"policy":"read"}}' });
  await api.acl.putRole({ ID: "", Name: "ops", Description: "", Policies: ["nodes"] });
  return tls;
}

function get(path: string, options: RequestOptions = {}): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const all = { host: "127.0.0.1", port: api?.http.port, path, ca: read("ca.pem"), agent: false as const, ...options };
    request(all, (response) => {
      let text = "";
      response.on("data", (data: Buffer) => {
        text += data;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on("error", reject)
      .end();
  });
}

const client = (name: string) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });

test("it speaks TLS with tokens, and not without TLS", async () => {
  await start();
  expect((await get("/v1/nodes", api?.as(api.management))).status).toBe(200);
  expect((await get("/v1/nodes")).status).toBe(403);
  await expect(api?.http.get("/v1/nodes")).rejects.toThrow();
});

test("versions before the oldest that is spoken are refused", async () => {
  await start({ minVersion: "TLSv1.3" });
  await expect(get("/v1/agent/health", { maxVersion: "TLSv1.2" })).rejects.toThrow();
  expect((await get("/v1/agent/health", { minVersion: "TLSv1.3" })).status).toBe(200);
});

test("with mutual TLS a certificate of our authority is needed, and its name stands for a role", async () => {
  await start({ verifyClients: true });
  await expect(get("/v1/agent/health")).rejects.toThrow();
  await expect(get("/v1/agent/health", client("stranger"))).rejects.toThrow();
  expect((await get("/v1/agent/health", client("nobody"))).status).toBe(200);
  expect((await get("/v1/nodes", client("nobody"))).status).toBe(403);
  expect((await get("/v1/nodes", client("ops"))).status).toBe(200);
  expect((await get("/v1/jobs", client("ops"))).status).toBe(403);
  expect((await get("/v1/acl/tokens", client("root"))).status).toBe(200);
  const asRoot = { ...client("ops"), headers: { "X-Nomad-Token": api?.management ?? "" } };
  expect((await get("/v1/jobs", asRoot)).status).toBe(200);
  await api?.acl.putPolicy({ Name: "nodes", Description: "", Rules: "" });
  expect((await get("/v1/nodes", client("ops"))).status).toBe(403);
});

test("after a reload new connections get the new certificate, and open ones go on", async () => {
  const tls = await start();
  const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
  const old = await get("/v1/agent/health", { agent: keepAlive });
  for (const kind of ["pem", "key"]) copyFileSync(join(dir, `second.${kind}`), join(dir, `served.${kind}`));
  tls.reload();
  expect(await served()).toBe("second.example");
  expect([old.status, (await get("/v1/agent/health", { agent: keepAlive })).status]).toEqual([200, 200]);
  const sockets = Object.values(keepAlive.freeSockets).flat() as TLSSocket[];
  expect(sockets.map((socket) => socket.getPeerCertificate().subject.CN)).toEqual(["first.example"]);
  keepAlive.destroy();
  writeFileSync(join(dir, "served.key"), "no key");
  expect(() => tls.reload()).toThrow(/tls\.cert_file, tls\.key_file/);
  rmSync(join(dir, "served.pem"));
  expect(() => tls.reload()).toThrow(/tls\.cert_file: got .*ENOENT/);
  expect(await served()).toBe("second.example");
});

function served(): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: api?.http.port as number, ca: read("ca.pem") }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}
