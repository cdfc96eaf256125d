import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { type Fixture, startApi } from "../testing/fixture.js";
import { aJob, anAllocation } from "../testing/objects.js";

interface Stub {
  readonly ID: string;
  readonly CreateIndex: number;
  readonly TaskStates: object | null;
  readonly AllocatedResources?: object;
}

let fixture: Fixture;
const job = aJob("web");
const ids = Array.from({ length: 12 }, (_, i) => `${i.toString(16)}a000000-0000-4000-8000-00000000000${(i % 10).toString()}`);

beforeEach(async () => {
  fixture = await startApi();
  // Against the order of ids, so that the order by index shows.
  for (const ID of [...ids].reverse()) await fixture.commit({ kind: "alloc-create", alloc: anAllocation(job, { ID }) });
});
afterEach(() => fixture.close());

const list = async (query = ""): Promise<readonly Stub[]> => (await fixture.http.get(`/v1/allocations${query}`)).json as Stub[];
const idsOf = async (query = ""): Promise<readonly string[]> => (await list(query)).map((stub) => stub.ID);
const oldestFirst = [...ids].reverse();

test("are listed oldest first, with the index of their table", async () => {
  const response = await fixture.http.get("/v1/allocations");
  expect(response.status).toBe(200);
  expect(response.headers["content-type"]).toBe("application/json");
  expect(response.headers["x-nomad-index"]).toBe(String(fixture.store.tableIndex("allocs")));
  expect([response.headers["x-nomad-knownleader"], response.headers["x-nomad-lastcontact"]]).toEqual(["true", "0"]);
  expect(response.headers["x-nomad-nexttoken"]).toBeUndefined();
  expect((response.json as Stub[]).map((stub) => stub.ID)).toEqual(oldestFirst);
});

test("reverse is newest first", async () => {
  expect(await idsOf("?reverse=true")).toEqual(ids);
});

test("none is an empty list", async () => {
  expect((await fixture.http.get("/v1/allocations?namespace=nope")).text).toBe("[]");
  expect((await fixture.http.get("/v1/allocations?prefix=ff")).text).toBe("[]");
});

test("of all namespaces are asked for by a star", async () => {
  const alloc = anAllocation(aJob("other", { Namespace: "other" }), { Namespace: "other" });
  await fixture.commit({ kind: "alloc-create", alloc });
  expect(await idsOf("?namespace=other")).toEqual([alloc.ID]);
  expect(await idsOf("?namespace=*")).toEqual([...oldestFirst, alloc.ID]);
  expect(await idsOf()).toEqual(oldestFirst);
});

test.each(["3a", "3A00", "3a000000-00", "3a000000-", "3a0000000000", "3-a-00"])(
  "the prefix %s is read as hex, hyphens or not",
  async (prefix) => {
    expect(await idsOf(`?prefix=${prefix}`)).toEqual([ids[3]]);
  },
);

test("by prefix are ordered by id", async () => {
  const more = anAllocation(job, { ID: "3a000000-0000-4000-8000-00000000ffff" });
  const less = anAllocation(job, { ID: "3a000000-0000-4000-8000-000000000001" });
  await fixture.commit({ kind: "alloc-create", alloc: more }, { kind: "alloc-create", alloc: less });
  expect(await idsOf("?prefix=3a")).toEqual([less.ID, ids[3], more.ID]);
  expect(await idsOf("?prefix=3a&reverse=true")).toEqual([more.ID, ids[3], less.ID]);
  expect(await idsOf(`?prefix=3a&next_token=${ids[3]}`)).toEqual([ids[3], more.ID]);
});

test("task states are left out and resources put in when asked", async () => {
  const of = async (query: string): Promise<Stub> => (await list(query))[0] as Stub;
  expect((await of("?task_states=false")).TaskStates).toBeNull();
  expect(await of("")).not.toHaveProperty("AllocatedResources");
  expect(await of("?resources=true")).toMatchObject({ AllocatedResources: { Shared: { DiskMB: 300 } } });
});

test.each(["", "&reverse=true", "&prefix=3a", `&filter=${encodeURIComponent('JobID == "web"')}`])(
  "pages walk the list once%s",
  async (query) => {
    const seen: string[] = [];
    let token: string | undefined;
    do {
      const page = await fixture.http.get(`/v1/allocations?per_page=5${query}${token === undefined ? "" : `&next_token=${token}`}`);
      seen.push(...(page.json as Stub[]).map((stub) => stub.ID));
      token = page.headers["x-nomad-nexttoken"] as string | undefined;
    } while (token !== undefined);
    expect(seen).toEqual(await idsOf(`?${query.slice(1)}`));
  },
);

test("a filter selects on the whole allocation, members that are not listed too", async () => {
  const batch = anAllocation(aJob("once", { Type: "batch" }));
  await fixture.commit({ kind: "alloc-create", alloc: batch });
  expect(await idsOf(`?filter=${encodeURIComponent('Job.Type == "batch"')}`)).toEqual([batch.ID]);
  expect(await idsOf(`?filter=${encodeURIComponent('Job.Type != "batch" and NodeName == "worker"')}`)).toEqual(oldestFirst);
});

test.each([
  ["prefix=abc", /must be even length/],
  ["prefix=zz", /invalid/i],
  ["prefix=a-b-c-d-e-f", /maximum of 4/],
  ["filter=banana%20==", /./],
  ["filter=Nope%20==%20%22x%22", /Nope/],
  ["per_page=banana", /per_page/],
  ["next_token=banana", /next_token/],
  ["task_states=banana", /task_states/],
  ["prefix=aa&prefix=bb", /prefix/],
])("%s is refused with the reason", async (query, reason) => {
  const response = await fixture.http.get(`/v1/allocations?${query}`);
  expect(response.status).toBe(400);
  expect(response.text).toMatch(reason);
  expect(response.headers["content-type"]).toBe("text/plain; charset=utf-8");
  expect(response.text).not.toMatch(/\n$/);
});

test("a mistake in a blocking query is told at once", async () => {
  const { http } = fixture;
  const index = fixture.store.tableIndex("allocs");
  expect((await http.get(`/v1/allocations?index=${index}&wait=60s&filter=x%20==`)).status).toBe(400);
  expect((await http.get(`/v1/allocations?index=${index}&wait=60s&prefix=abc`)).status).toBe(400);
});

test("a blocked list answers with what changed", async () => {
  const index = fixture.store.tableIndex("allocs");
  const blocked = fixture.http.get(`/v1/allocations?index=${index}&wait=60s`);
  while (fixture.api.blockedQueries() === 0) await new Promise(setImmediate);
  const alloc = anAllocation(job);
  await fixture.commit({ kind: "alloc-create", alloc });
  const response = await blocked;
  expect(Number(response.headers["x-nomad-index"])).toBeGreaterThan(index);
  expect((response.json as Stub[]).some((stub) => stub.ID === alloc.ID)).toBe(true);
});

test("gzip and pretty are the same list", async () => {
  const plain = await fixture.http.get("/v1/allocations");
  const zipped = await fixture.http.get("/v1/allocations", { headers: { "Accept-Encoding": "deflate, gzip;q=0.5" } });
  expect([zipped.headers["content-encoding"], zipped.headers.vary]).toEqual(["gzip", "Accept-Encoding"]);
  expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
  expect(zipped.body.length).toBeLessThan(plain.body.length / 2);
  expect(
    (await fixture.http.get("/v1/allocations", { headers: { "Accept-Encoding": "gzip;q=0, br" } })).headers["content-encoding"],
  ).toBeUndefined();
  const pretty = await fixture.http.get("/v1/allocations?pretty");
  expect(pretty.text).toMatch(/^\[\n {4}\{\n {8}"/);
  expect(pretty.json).toEqual(plain.json);
});

test("whatever the query string, the answer is a list or a 400 that says why", async () => {
  const names = fc.constantFrom(
    "prefix",
    "namespace",
    "resources",
    "task_states",
    "filter",
    "per_page",
    "next_token",
    "reverse",
    "pretty",
    "index",
    "stale",
    "region",
    "x",
  );
  const values = fc.oneof(fc.string(), fc.constantFrom("true", "1", "", "-1", "3a", "JobID == x", "*", "1.2", "%zz", "%", "&", "=", "é"));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(names, values, fc.boolean()), { maxLength: 4 }), async (parameters) => {
      const query = parameters.map(([name, value, bare]) => (bare ? name : `${name}=${encodeURIComponent(value)}`)).join("&");
      // A wait so that an index far ahead ends.
      const response = await fixture.http.get(`/v1/allocations?${query}&wait=1ms`);
      expect([200, 400]).toContain(response.status);
      if (response.status === 400) expect(response.text.length).toBeGreaterThan(5);
      else expect(Array.isArray(response.json)).toBe(true);
    }),
    { numRuns: 150 },
  );
  expect(fixture.logged).toEqual([]);
});
