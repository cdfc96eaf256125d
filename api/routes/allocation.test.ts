import { type Fixture, startApi } from "../testing/fixture.js";
import { aJob, anAllocation, UNKNOWN_ID } from "../testing/objects.js";

let fixture: Fixture;
const job = aJob("web");
const alloc = anAllocation(job);
const path = `/v1/allocation/${alloc.ID}`;

beforeEach(async () => {
  fixture = await startApi();
  await fixture.commit({ kind: "alloc-create", alloc });
});
afterEach(() => fixture.close());

const blocked = async (): Promise<void> => {
  while (fixture.api.blockedQueries() === 0) await new Promise(setImmediate);
};

describe("reading", () => {
  test("is the whole allocation, under its own index", async () => {
    await fixture.commit({ kind: "alloc-create", alloc: anAllocation(job) });
    const response = await fixture.http.get(path);
    expect(response.status).toBe(200);
    expect(response.json).toMatchObject({ ID: alloc.ID, Job: { ID: "web" } });
    expect(response.headers["x-nomad-index"]).toBe(String((response.json as { ModifyIndex: number }).ModifyIndex));
  });

  test("an id is the same in capitals", async () => {
    expect((await fixture.http.get(`/v1/allocation/${alloc.ID.toUpperCase()}`)).status).toBe(200);
  });

  test("an unknown id is 404, with the index to wait on", async () => {
    const response = await fixture.http.get(`/v1/allocation/${UNKNOWN_ID}`);
    expect([response.status, response.text]).toEqual([404, "alloc not found"]);
    expect(response.headers["x-nomad-index"]).toBe(String(fixture.store.tableIndex("allocs")));
  });

  test.each(["/v1/allocation/", `/v1/allocation/${alloc.ID.slice(0, 8)}`, "/v1/allocation/foo"])("%s has no full id", async (url) => {
    const response = await fixture.http.get(url);
    expect([response.status, response.text]).toEqual([400, "alloc lookup failed: index error: UUID must be 36 characters"]);
  });

  test("an id of other characters is refused with them", async () => {
    const response = await fixture.http.get(`/v1/allocation/z${alloc.ID.slice(1)}`);
    expect([response.status, response.text]).toEqual([400, expect.stringMatching(/Invalid UUID: .*'z'/)]);
  });
});

describe("a blocked read", () => {
  const wait = (index: number, signal?: AbortSignal) =>
    fixture.http.get(`${path}?index=${index}&wait=60s`, signal === undefined ? {} : { signal });

  test("sees a change of its allocation", async () => {
    const index = fixture.store.alloc(alloc.ID)?.ModifyIndex ?? 0;
    const waiting = wait(index);
    await blocked();
    await fixture.commit({ kind: "alloc-observed", id: alloc.ID, patch: { ClientStatus: "running" } });
    const response = await waiting;
    expect(response.json).toMatchObject({ ClientStatus: "running" });
    expect(Number(response.headers["x-nomad-index"])).toBeGreaterThan(index);
  });

  test("does not wake for another allocation", async () => {
    const waiting = wait(fixture.store.alloc(alloc.ID)?.ModifyIndex ?? 0);
    await blocked();
    await fixture.commit({ kind: "alloc-create", alloc: anAllocation(job) });
    await new Promise(setImmediate);
    expect(fixture.api.blockedQueries()).toBe(1);
    await fixture.commit({ kind: "alloc-desired", id: alloc.ID, patch: { DesiredStatus: "stop" } });
    expect((await waiting).json).toMatchObject({ DesiredStatus: "stop" });
  });

  test("of an unknown allocation waits for it to come", async () => {
    const coming = anAllocation(job);
    const waiting = fixture.http.get(`/v1/allocation/${coming.ID}?index=${fixture.store.tableIndex("allocs")}&wait=60s`);
    await blocked();
    await fixture.commit({ kind: "alloc-create", alloc: coming });
    expect((await waiting).json).toMatchObject({ ID: coming.ID });
  });

  test("of one that goes is 404", async () => {
    const waiting = wait(fixture.store.alloc(alloc.ID)?.ModifyIndex ?? 0);
    await blocked();
    await fixture.commit({ kind: "alloc-delete", id: alloc.ID });
    expect((await waiting).status).toBe(404);
  });

  test("with nothing to see ends after its wait, with what there is", async () => {
    const response = await fixture.http.get(`${path}?index=900&wait=20ms`);
    expect([response.status, fixture.api.blockedQueries()]).toEqual([200, 0]);
  });

  test("whose client goes is over", async () => {
    const client = new AbortController();
    const waiting = wait(fixture.store.alloc(alloc.ID)?.ModifyIndex ?? 0, client.signal);
    await blocked();
    client.abort();
    await expect(waiting).rejects.toThrow();
    while (fixture.api.blockedQueries() > 0) await new Promise(setImmediate);
    expect(fixture.logged).toEqual([]);
  });
});

describe("stopping", () => {
  test.each(["PUT", "POST"])("by %s answers evaluation and index", async (method) => {
    const response = await fixture.http.request(method, `${path}/stop?no_shutdown_delay=true&reschedule=1`, { body: "ignored" });
    expect([response.status, response.text, response.headers["x-nomad-index"]]).toEqual([
      200,
      '{"EvalID":"5d61b586-2858-7846-d620-c338c16179cc","Index":7}',
      "7",
    ]);
    expect(fixture.calls).toEqual([["stopAlloc", alloc.ID, { noShutdownDelay: true, reschedule: true }]]);
  });

  test.each([
    [`/v1/allocation/${UNKNOWN_ID}/stop`, 404, /^allocation not found$/],
    ["/v1/allocation/foo/stop", 400, /36 characters/],
    [`${path}/stop?no_shutdown_delay=banana`, 400, /no_shutdown_delay/],
    [`${path}/stop?reschedule=banana`, 400, /reschedule/],
  ])("%s is refused and stops nothing", async (url, status, text) => {
    const response = await fixture.http.request("PUT", url);
    expect([response.status, response.text]).toEqual([status, expect.stringMatching(text)]);
    expect(fixture.calls).toEqual([]);
  });
});

describe("a control plane", () => {
  test("hands in a whole allocation, its big numbers digit for digit", async () => {
    const response = await fixture.http.send("PUT", path, '{"ID":"x","CreateTime":1795447331447405961}');
    expect([response.status, response.text, response.headers["x-nomad-index"]]).toEqual([200, '{"Index":9}', "9"]);
    expect(fixture.calls).toEqual([["putAllocation", alloc.ID, { ID: "x", CreateTime: 1795447331447405961n }]]);
  });

  test("hands in nothing", async () => {
    const response = await fixture.http.request("PUT", path);
    expect([response.status, response.text]).toEqual([400, "Failed to decode body: Request body is empty"]);
  });

  test("removes one", async () => {
    const response = await fixture.http.request("DELETE", path);
    expect([response.status, response.text]).toEqual([200, '{"Index":10}']);
    expect(fixture.calls).toEqual([["deleteAllocation", alloc.ID]]);
  });
});
