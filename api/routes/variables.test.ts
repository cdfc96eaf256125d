import { type Fixture, startApi } from "../testing/fixture.js";

let api: Fixture;

beforeEach(async () => {
  api = await startApi();
});

afterEach(() => api.close());

const put = (path: string, items: unknown, more: Readonly<Record<string, unknown>> = {}) =>
  api.http.send("PUT", `/v1/var/${path}`, { Items: items, ...more });

test("a variable is written, read, listed without its items and deleted", async () => {
  const written = await put("app/db", { user: "u", password: "p" });
  expect(written.status).toBe(200);
  expect(written.json).toMatchObject({ Namespace: "default", Path: "app/db", Items: { user: "u", password: "p" }, Lock: null });
  const read = await api.http.get("/v1/var/app/db");
  expect(read.json).toEqual(written.json);
  expect(read.headers["x-nomad-index"]).toBe(String((read.json as { ModifyIndex: number }).ModifyIndex));
  const list = await api.http.get("/v1/vars");
  expect(list.json).toMatchObject([{ Namespace: "default", Path: "app/db" }]);
  expect(list.text).not.toContain("password");
  const gone = await api.http.request("DELETE", "/v1/var/app/db");
  expect([gone.status, gone.text]).toEqual([204, ""]);
  expect(await api.http.get("/v1/var/app/db")).toMatchObject({ status: 404, text: "variable not found" });
});

test("lists take a prefix, a namespace, pages and a filter", async () => {
  for (const path of ["a/1", "a/2", "b/1"]) await put(path, { x: "1" });
  await put("a/9?namespace=other", { x: "1" });
  const paths = async (query: string) => ((await api.http.get(`/v1/vars?${query}`)).json as { Path: string }[]).map(({ Path }) => Path);
  expect(await paths("prefix=a/")).toEqual(["a/1", "a/2"]);
  expect(await paths("namespace=*")).toEqual(["a/1", "a/2", "b/1", "a/9"]);
  expect(await paths("namespace=other")).toEqual(["a/9"]);
  expect(await paths("filter=Path%20matches%20%22%5Eb%22")).toEqual(["b/1"]);
  const first = await api.http.get("/v1/vars?per_page=2");
  const token = String(first.headers["x-nomad-nexttoken"]);
  expect(await paths(`per_page=2&next_token=${encodeURIComponent(token)}`)).toEqual(["b/1"]);
});

test("a check of the index that fails is 409 with what is there", async () => {
  const { json } = await put("k?cas=0", { v: "1" });
  const conflict = await put("k?cas=0", { v: "2" });
  expect([conflict.status, conflict.json]).toEqual([409, json]);
  expect((await api.http.request("DELETE", "/v1/var/k?cas=1")).status).toBe(409);
  const { ModifyIndex } = json as { ModifyIndex: number };
  expect((await put(`k?cas=${ModifyIndex}`, { v: "2" })).status).toBe(200);
});

test.each([
  ["k", undefined, /Variable\.Items: got nothing, want an object with at least one string/],
  ["k", {}, /Variable\.Items/],
  ["k", { a: 1 }, /Variable\.Items\["a"\]: got "number", want a string/],
  ["k", { a: "x".repeat(65_536) }, /got "65537 bytes", want at most 65536 bytes/],
  ["nomad", { a: "1" }, /Path: got "nomad"/],
  ["a.b", { a: "1" }, /Path: got "a\.b", want 1 to 128/],
  ["k?cas=x", { a: "1" }, /can not parse cas: got "x"/],
  ["k?lock-acquire", { a: "1" }, /lock-acquire: locks on variables are not supported/],
  ["k?namespace=*", { a: "1" }, /can not target wildcard/],
])("PUT /v1/var/%s with items %j is 400", async (path, items, message) => {
  const refused = await put(path, items);
  expect([refused.status, refused.text]).toEqual([400, expect.stringMatching(message)]);
});

test("a value that is refused is not told back", async () => {
  expect((await put("k", { a: ["secret"] })).text).not.toContain("secret");
});

test("a body for another path or with a lock is refused", async () => {
  expect((await put("k", { a: "1" }, { Path: "other" })).text).toMatch(/Variable\.Path: got "other", want the request's "k"/);
  expect((await put("k", { a: "1" }, { Lock: {} })).text).toMatch(/Lock: got \{\}, want none/);
});

test("a blocking query of a variable that is not there is woken by its creation and by its end", async () => {
  const missing = await api.http.get("/v1/var/k");
  const index = Number(missing.headers["x-nomad-index"] ?? 1);
  const created = api.http.get(`/v1/var/k?index=${Math.max(1, index)}&wait=20s`);
  await put("k", { v: "1" });
  const { json } = await created;
  expect(json).toMatchObject({ Items: { v: "1" } });
  const ended = api.http.get(`/v1/var/k?index=${(json as { ModifyIndex: number }).ModifyIndex}&wait=20s`);
  await api.http.request("DELETE", "/v1/var/k");
  expect((await ended).status).toBe(404);
});
