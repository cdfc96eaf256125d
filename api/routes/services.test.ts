import type { NewRegistration } from "../../agent/model/service-registration.js";
import { type Fixture, startApi } from "../testing/fixture.js";
import { aJob, anAllocation, UNKNOWN_ID } from "../testing/objects.js";

let fixture: Fixture;

beforeEach(async () => {
  fixture = await startApi();
});

afterEach(() => fixture.close());

const alloc = anAllocation(aJob("web"));

const aService = (id: string, more: Partial<NewRegistration> = {}): NewRegistration => ({
  ID: id,
  ServiceName: "web",
  Namespace: "default",
  NodeID: "node",
  Datacenter: "dc1",
  JobID: "web",
  AllocID: alloc.ID,
  Tags: [],
  Meta: {},
  Address: "127.0.0.1",
  Port: 80,
  ...more,
});

async function store(...services: readonly NewRegistration[]): Promise<void> {
  await fixture.commit({ kind: "alloc-create", alloc }, ...services.map((service) => ({ kind: "service", service }) as const));
}

const ids = async (query: string): Promise<readonly string[]> =>
  ((await fixture.http.get(`/v1/service/web${query}`)).json as { ID: string }[]).map(({ ID }) => ID);

test("services are listed by namespace, with the tags of all their instances", async () => {
  await store(
    aService("1", { Tags: ["b"] }),
    aService("2", { Tags: ["a", "b"] }),
    aService("3", { ServiceName: "api" }),
    aService("4", { Namespace: "prod" }),
  );
  const own = {
    Namespace: "default",
    Services: [
      { ServiceName: "api", Tags: [] },
      { ServiceName: "web", Tags: ["a", "b"] },
    ],
  };
  expect((await fixture.http.get("/v1/services")).json).toEqual([own]);
  expect((await fixture.http.get("/v1/services?namespace=*")).json).toEqual([
    own,
    { Namespace: "prod", Services: [{ ServiceName: "web", Tags: [] }] },
  ]);
  expect((await fixture.http.get("/v1/services?filter=ServiceName%20%3D%3D%20api")).json).toEqual([
    { Namespace: "default", Services: [{ ServiceName: "api", Tags: [] }] },
  ]);
  const page = await fixture.http.get("/v1/services?per_page=1");
  expect([page.json, page.headers["x-nomad-nexttoken"]]).toEqual([
    [{ Namespace: "default", Services: [{ ServiceName: "api", Tags: [] }] }],
    "default.web",
  ]);
  expect((await fixture.http.get("/v1/services?per_page=1&next_token=default.web")).json).toEqual([
    { Namespace: "default", Services: [{ ServiceName: "web", Tags: ["a", "b"] }] },
  ]);
  expect((await fixture.http.get("/v1/services?namespace=none")).text).toBe("[]");
});

test("an instance has the reference's fields, and no other", async () => {
  await store(aService("1", { Meta: { v: "2" } }));
  const [one] = (await fixture.http.get("/v1/service/web")).json as object[];
  expect(Object.keys(one ?? {})).toEqual(
    "Address AllocID CreateIndex Datacenter ID JobID ModifyIndex Namespace NodeID Port ServiceName Tags".split(" "),
  );
});

test("instances are filtered, paged and chosen", async () => {
  await store(...["a", "b", "c", "d"].map((id) => aService(id, { Meta: { half: id < "c" ? "1" : "2" } })));
  expect(await ids("")).toEqual(["a", "b", "c", "d"]);
  expect(await ids("?reverse=true")).toEqual(["d", "c", "b", "a"]);
  expect(await ids("?filter=Meta.half%20%3D%3D%20%221%22")).toEqual(["a", "b"]);
  expect(await ids("?per_page=2&next_token=b")).toEqual(["b", "c"]);
  const chosen = await ids("?choose=2%7Cclient-7");
  expect([chosen.length, await ids("?choose=2%7Cclient-7")]).toEqual([2, chosen]);
  for (const bad of ["2", "0%7Cx", "x%7Cy", "2%7C"]) expect((await fixture.http.get(`/v1/service/web?choose=${bad}`)).status).toBe(400);
  expect((await fixture.http.get("/v1/service/other")).text).toBe("[]");
});

test("a query waits for the next change of a service", async () => {
  await store(aService("1"));
  const { headers } = await fixture.http.get("/v1/service/web");
  const blocked = fixture.http.get(`/v1/service/web?index=${headers["x-nomad-index"]}&wait=60s`);
  while (fixture.api.blockedQueries() === 0) await new Promise(setImmediate);
  await fixture.commit({ kind: "service-delete", service: aService("1") });
  expect((await blocked).json).toEqual([]);
});

test("the services of an allocation are those of its own namespace", async () => {
  await store(aService("2"), aService("1"));
  expect((await fixture.http.get(`/v1/allocation/${alloc.ID}/services`)).json).toMatchObject([{ ID: "1" }, { ID: "2" }]);
  for (const path of [`/v1/allocation/${alloc.ID}/services?namespace=prod`, `/v1/allocation/${UNKNOWN_ID}/services`]) {
    const response = await fixture.http.get(path);
    expect([response.status, response.text]).toEqual([404, "allocation not found"]);
  }
});

test("an instance is deleted under its own name only, with an empty answer", async () => {
  await store(aService("1"));
  const response = await fixture.http.request("DELETE", "/v1/service/web/1");
  expect([response.status, response.text, response.headers["content-type"], response.headers["x-nomad-index"]]).toEqual([
    200,
    "",
    undefined,
    "11",
  ]);
  expect(fixture.calls).toEqual([["deregister", "1"]]);
  for (const path of ["/v1/service/api/1", "/v1/service/web/2", "/v1/service/web/1?namespace=prod"]) {
    const missing = await fixture.http.request("DELETE", path);
    expect([missing.status, missing.text]).toEqual([404, "service registration not found"]);
  }
  expect((await fixture.http.get("/v1/service/web/1")).status).toBe(405);
});

test.each(["/v1/client/allocation", "/v1/allocation"])("%s/:id/checks has the results by id", async (base) => {
  await store();
  expect((await fixture.http.get(`${base}/${alloc.ID}/checks`)).json).toEqual({ c1: { ID: "c1", Check: "alive", Alloc: alloc.ID } });
  const unknown = await fixture.http.get(`${base}/${UNKNOWN_ID}/checks`);
  expect([unknown.status, unknown.text]).toEqual([404, `Unknown allocation "${UNKNOWN_ID}"`]);
});
