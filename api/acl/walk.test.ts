import { type OutgoingHttpHeaders, request } from "node:http";
import { NAMESPACE_CAPABILITIES } from "../../agent/acl/capabilities.js";
import { SystemClock } from "../../agent/clock.js";
import { defaultNamespace } from "../../agent/model/namespace.js";
import { FsScene } from "../../test/support/fs-scene.js";
import type { ApiDeps } from "../deps.js";
import { createFsRouter, fsActions } from "../fs/router.js";
import { defaultApiOptions } from "../options.js";
import type { Method } from "../route.js";
import { allRoutes } from "../routes/index.js";
import { type AclFixture, startAclApi } from "../testing/acl-fixture.js";
import { aDeployment, aJob, anAllocation, anEvaluation, jobInput, UNKNOWN_ID } from "../testing/objects.js";
import { type Access, type Requirement, requirementsOf } from "./access.js";

interface Endpoint {
  readonly method: Method;
  readonly path: string;
  readonly access: Access;
}

let api: AclFixture;
let scene: FsScene;
let endpoints: readonly Endpoint[];
let known: { readonly alloc: string; readonly eval: string; readonly deployment: string };

beforeAll(async () => {
  scene = new FsScene({ heartbeatMs: 50, maxFollowers: 3 });
  const clock = new SystemClock();
  api = await startAclApi({ clock }, (store) => ({
    fs: (callerOf) => createFsRouter({ files: scene.files, store, callerOf, log: scene.log }),
  }));
  const routes = allRoutes({ ...({} as ApiDeps), store: api.store, acl: api.acl, options: defaultApiOptions });
  const plain = routes.flatMap(({ method, path, access }) => ([method].flat() as Method[]).map((one) => ({ method: one, path, access })));
  const files = [...fsActions].map(([action, { access }]) => ({ method: "GET" as const, path: `/v1/client/fs/${action}/:id`, access }));
  endpoints = [...plain, ...files];
  const job = aJob("walked");
  const [alloc, evaluation, deployment] = [anAllocation(job), anEvaluation(job), aDeployment(job)];
  known = { alloc: alloc.ID, eval: evaluation.ID, deployment: deployment.ID };
  await api.commit(
    { kind: "job", job, spec: true },
    { kind: "alloc-create", alloc },
    { kind: "eval", eval: evaluation },
    { kind: "deployment", deployment },
  );
});

afterAll(async () => {
  await api.close();
  scene.remove();
});

const kindOf = (requirement: Requirement): string => requirement.split(":")[0] ?? "";
const nameOf = (requirement: Requirement): string => requirement.split(":")[1] ?? "";
const levelKinds = ["node", "agent", "operator", "plugin"];
const isObject = (requirement: Requirement): boolean => ["alloc", "eval", "deployment"].includes(kindOf(requirement));

function pathOf({ path, access }: Endpoint, id?: string): string {
  const object = requirementsOf(access)
    .map(kindOf)
    .find((kind): kind is keyof typeof known => kind in known);
  const own = id ?? (object === undefined ? (path.startsWith("/v1/job/") ? "walked" : UNKNOWN_ID) : known[object]);
  return path
    .replace("{:id}", own)
    .replace(":id", own)
    .replace(":name", "some")
    .replace("*path", "some/variable")
    .replace(":accessor", UNKNOWN_ID)
    .replace("*rest", "a/b/c/d");
}

/** A body with which a route of `body:` gets to where it asks for the namespace. */
function bodyOf({ path }: Endpoint, namespace = "default"): object {
  if (path.startsWith("/v1/allocation/")) return { Namespace: namespace, Job: jobInput("walked", { Namespace: namespace }) };
  return { Job: jobInput("walked", { Namespace: namespace }) };
}

async function ask(endpoint: Endpoint, secret: string | undefined, options: { readonly id?: string; readonly namespace?: string } = {}) {
  const headers = secret === undefined ? {} : api.as(secret).headers;
  const path = pathOf(endpoint, options.id);
  if (path === "/v1/event/stream") return head(path, headers);
  if (endpoint.method === "GET") return api.http.get(`${path}?task=t&type=stdout&path=/`, { headers });
  return api.http.send(endpoint.method, path, endpoint.method === "DELETE" ? "" : bodyOf(endpoint, options.namespace), { headers });
}

/** The status of an answer that has no end, and the whole of one that has. */
function head(path: string, headers: OutgoingHttpHeaders): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port: api.http.port, path, headers, agent: false }, (response) => {
      const { statusCode: status = 0 } = response;
      let text = "";
      response.on("data", (data: Buffer) => {
        text += data;
        if (status === 200) response.destroy();
      });
      response.on("close", () => resolve({ status, text }));
    })
      .on("error", reject)
      .end();
  });
}

/** The rules that meet a requirement and no more. */
function rulesFor(requirement: Requirement): object {
  if (levelKinds.includes(kindOf(requirement))) return { [kindOf(requirement)]: { policy: nameOf(requirement) } };
  return { namespace: { default: { capabilities: [nameOf(requirement)] } } };
}

/** Everything but what would meet one of the requirements. */
function rulesBut(requirements: readonly Requirement[]): object {
  const names = new Set(requirements.map(nameOf));
  // A capability that brings the wanted one along is left out as well.
  const bringers: Readonly<Record<string, readonly string[]>> = {
    "submit-job": NAMESPACE_CAPABILITIES.filter((c) => /-job$|-deployment$|-allocation$|^force|^delete-service|^tag/.test(c)),
    "host-volume-write": ["host-volume-register", "host-volume-create", "host-volume-delete", "host-volume-read"],
    "host-volume-register": ["host-volume-create", "host-volume-read"],
    "host-volume-create": ["host-volume-read"],
  };
  const brings = (capability: string): boolean => (bringers[capability] ?? []).some((one) => names.has(one));
  const capabilities = NAMESPACE_CAPABILITIES.filter((c) => c !== "deny" && !names.has(c) && !brings(c));
  const levels = levelKinds.filter((kind) => !requirements.some((requirement) => kindOf(requirement) === kind));
  return {
    namespace: { "*": { capabilities } },
    ...Object.fromEntries(levels.map((kind) => [kind, { policy: "write" }])),
  };
}

const denied = { status: 403, text: "Permission denied" };

test("every endpoint says what it asks for, and there are as many as there should be", () => {
  expect(endpoints.length).toBeGreaterThan(130);
  expect(endpoints.filter(({ access }) => access === undefined)).toEqual([]);
  // Below the paths of allocations there is nothing, which anybody may know.
  const open = endpoints.filter(({ method, access, path }) => method !== "GET" && access === "public" && !path.includes("*rest"));
  expect(open).toEqual([]);
});

test("without a token and with one that does not exist nothing but what is public or anybody's is answered", async () => {
  let count = 0;
  for (const endpoint of endpoints) {
    for (const secret of [undefined, UNKNOWN_ID, "no token at all"]) {
      const answer = await ask(endpoint, secret);
      count++;
      const place = `${endpoint.method} ${endpoint.path} ${secret}`;
      if (endpoint.access === "public") expect([place, answer.status]).not.toEqual([place, 403]);
      else if (secret !== undefined || endpoint.access !== "anybody")
        expect([place, answer]).toEqual([place, expect.objectContaining(denied)]);
      else expect([place, answer.status < 500]).toEqual([place, true]);
    }
  }
  expect(count).toBe(endpoints.length * 3);
});

test("the capability alone opens its endpoint, everything else together does not", async () => {
  for (const endpoint of endpoints) {
    const requirements = requirementsOf(endpoint.access);
    const place = `${endpoint.method} ${endpoint.path}`;
    for (const requirement of requirements) {
      if (["public", "anybody", "management"].includes(requirement)) continue;
      const { secret } = await api.token(rulesFor(requirement));
      expect([place, requirement, (await ask(endpoint, secret)).status]).not.toEqual([place, requirement, 403]);
    }
    if (endpoint.access === "public" || endpoint.access === "anybody") continue;
    const { secret } = await api.token(rulesBut(requirements));
    expect([place, await ask(endpoint, secret)]).toEqual([place, expect.objectContaining(denied)]);
  }
});

test("a management token is refused nowhere", async () => {
  for (const endpoint of endpoints) {
    const { status } = await ask(endpoint, api.management);
    expect([endpoint.path, status]).not.toEqual([endpoint.path, 403]);
    expect([endpoint.path, status < 500]).toEqual([endpoint.path, true]);
  }
});

test("a capability in another namespace opens nothing, and does not tell what is there from what is not", async () => {
  for (const endpoint of endpoints) {
    const requirements = requirementsOf(endpoint.access).filter((one) => one.includes(":") && !levelKinds.includes(kindOf(one)));
    if (requirements.length === 0) continue;
    const capabilities = requirements.map(nameOf);
    const { secret } = await api.token({ namespace: { other: { capabilities } } });
    const there = await ask(endpoint, secret);
    expect([endpoint.path, there.status >= 403]).toEqual([endpoint.path, true]);
    if (!requirements.some(isObject)) continue;
    const unknown = await ask(endpoint, secret, { id: UNKNOWN_ID });
    const neutral = (text: string): string => text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "ID");
    expect([endpoint.path, there.status, neutral(there.text)]).toEqual([endpoint.path, unknown.status, neutral(unknown.text)]);
  }
});

test("the namespace in a body counts, not that of the query", async () => {
  for (const endpoint of endpoints) {
    const [requirement] = requirementsOf(endpoint.access);
    if (requirement === undefined || kindOf(requirement) !== "body") continue;
    const { secret } = await api.token({ namespace: { other: { capabilities: [nameOf(requirement)] } } });
    expect(await ask(endpoint, secret, { namespace: "default" })).toMatchObject(denied);
  }
});

test("lists over all namespaces leave out what may not be seen, and share no answer with who sees more", async () => {
  const other = aJob("hidden", { Namespace: "secret" });
  await api.commit({ kind: "namespace", namespace: { ...defaultNamespace, Name: "secret" } });
  await api.commit({ kind: "job", job: other, spec: true }, { kind: "alloc-create", alloc: anAllocation(other) });
  const { secret } = await api.token({ namespace: { default: { policy: "read" } } });
  for (const path of ["/v1/jobs?namespace=*", "/v1/allocations?namespace=*"]) {
    const everything = (await api.http.get(path, api.as(api.management))).json as readonly { Namespace: string }[];
    const some = (await api.http.get(path, api.as(secret))).json as readonly { Namespace: string }[];
    expect([...new Set(everything.map(({ Namespace }) => Namespace))].sort()).toEqual(["default", "secret"]);
    expect([...new Set(some.map(({ Namespace }) => Namespace))]).toEqual(["default"]);
    expect((await api.http.get(path)).json).toEqual([]);
  }
  expect((await api.http.get("/v1/allocations?namespace=secret", api.as(secret))).status).toBe(403);
});

// Source: reference behaviour §1.12.
test.each([
  ["GET", "/v1/allocations", "list:read-job"],
  ["GET", "/v1/allocation/{:id}", "alloc:read-job"],
  ["PUT", "/v1/allocation/:id/stop", "alloc:alloc-lifecycle"],
  ["PUT", "/v1/client/allocation/:id/signal", "alloc:alloc-lifecycle"],
  ["PUT", "/v1/client/allocation/:id/restart", "alloc:alloc-lifecycle"],
  ["GET", "/v1/client/allocation/:id/exec", "alloc:alloc-exec"],
  ["GET", "/v1/client/allocation/:id/stats", "alloc:read-job"],
  ["GET", "/v1/client/stats", "node:read"],
  ["GET", "/v1/client/fs/cat/:id", "alloc:read-fs"],
  ["GET", "/v1/client/fs/logs/:id", ["alloc:read-logs", "alloc:read-fs"]],
])("%s %s asks for %j", (method, path, access) => {
  expect(endpoints.find((endpoint) => endpoint.method === method && endpoint.path === path)?.access).toEqual(access);
});
