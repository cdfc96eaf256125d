import { type Fixture, startApi } from "../testing/fixture.js";
import { aJob, aNode, anAllocation, NODE_ID } from "../testing/objects.js";

let fixture: Fixture;
const start = async (): Promise<Fixture> => {
  fixture = await startApi();
  await fixture.commit({ kind: "node", node: aNode });
  return fixture;
};
afterEach(() => fixture.close());

test("the agent says its node, version and address, and no other part of its configuration", async () => {
  const { http } = await start();
  const { json } = await http.get("/v1/agent/self");
  expect(json).toMatchObject({
    config: { Version: { Version: "1.2.3" }, Datacenter: "dc1", Region: "global", Ports: { HTTP: 4646 } },
    member: { Name: "worker.global", Addr: "127.0.0.1" },
    stats: { client: { node_id: NODE_ID, num_allocations: "0" } },
  });
});

test("an agent without a node still answers", async () => {
  fixture = await startApi();
  for (const path of ["/v1/agent/self", "/v1/agent/members", "/v1/agent/health", "/v1/status/leader", "/v1/nodes"]) {
    expect((await fixture.http.get(path)).status).toBe(200);
  }
});

test("health is ok, by part when asked", async () => {
  const { http } = await start();
  const ok = { message: "ok", ok: true };
  expect((await http.get("/v1/agent/health")).json).toEqual({ client: ok, server: ok });
  expect((await http.get("/v1/agent/health?type=client")).json).toEqual({ client: ok });
  expect((await http.get("/v1/agent/health?type=banana")).status).toBe(400);
});

test("what an operator should look at is beside what the reference says, and makes nothing unwell", async () => {
  const warnings = ["the database was found to be damaged"];
  fixture = await startApi({ health: { degraded: null, warnings } });
  const ok = { message: "ok", ok: true };
  const response = await fixture.http.get("/v1/agent/health?type=client");
  expect([response.status, response.json]).toEqual([200, { client: ok, warnings }]);
});

test("a store that can not write is told by health, with the reason", async () => {
  const { http, store } = await start();
  Object.defineProperty(store, "degraded", { value: "disk full" });
  const response = await http.get("/v1/agent/health");
  expect(response.status).toBe(500);
  expect(response.json).toMatchObject({ client: { ok: false, message: "degraded: disk full" } });
});

test("the host is a cluster of one", async () => {
  const { http } = await start();
  expect((await http.get("/v1/status/leader")).json).toBe("127.0.0.1:4646");
  expect((await http.get("/v1/status/peers")).json).toEqual(["127.0.0.1:4646"]);
  expect((await http.get("/v1/regions")).json).toEqual(["global"]);
  expect((await http.get("/v1/namespaces")).json).toMatchObject([{ Name: "default" }]);
  expect((await http.get("/v1/namespace/default")).json).toMatchObject({ Name: "default" });
  expect((await http.get("/v1/namespace/other")).status).toBe(404);
});

test("the node is listed, found by prefix and read with its allocations", async () => {
  const { http, commit } = await start();
  const alloc = anAllocation(aJob("web"));
  await commit({ kind: "alloc-create", alloc });
  expect((await http.get("/v1/nodes")).json).toMatchObject([{ ID: NODE_ID, Name: "worker" }]);
  expect((await http.get(`/v1/nodes?prefix=${NODE_ID.slice(0, 8)}`)).json).toHaveLength(1);
  expect((await http.get("/v1/nodes?prefix=00")).json).toEqual([]);
  expect((await http.get(`/v1/node/${NODE_ID}`)).json).toMatchObject({ ID: NODE_ID, HTTPAddr: "127.0.0.1:4646" });
  expect((await http.get(`/v1/node/${NODE_ID}/allocations`)).json).toMatchObject([{ ID: alloc.ID, Job: { ID: "web" } }]);
});
