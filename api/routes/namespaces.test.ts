import { type Fixture, startApi } from "../testing/fixture.js";
import { aJob, aNode, anAllocation, anEvaluation, jobInput, NODE_ID } from "../testing/objects.js";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startApi();
});
afterEach(() => fixture.close());

const aNamespace = (Name: string) => ({ Name, Description: "", Meta: null, Quota: "", Capabilities: null, CreateIndex: 0, ModifyIndex: 0 });

describe("namespaces", () => {
  test("are listed with the default one, in the form of the reference", async () => {
    await fixture.commit({ kind: "namespace", namespace: { ...aNamespace("web"), Meta: { a: "b" } } });
    const { json, headers } = await fixture.http.get("/v1/namespaces");
    expect(headers["x-nomad-index"]).toBe("2");
    expect(json).toEqual([
      expect.objectContaining({ Name: "default", Description: "Default shared namespace", CreateIndex: 1, Quota: "", Capabilities: null }),
      expect.objectContaining({ Name: "web", Meta: { a: "b" }, CreateIndex: 2, ModifyIndex: 2, Hash: expect.stringMatching(/=$/) }),
    ]);
    expect((await fixture.http.get("/v1/namespaces?prefix=we")).json).toHaveLength(1);
    expect((await fixture.http.get("/v1/namespace/web")).json).toMatchObject({ Name: "web" });
    expect(await fixture.http.get("/v1/namespace/nope")).toMatchObject({ status: 404, text: "Namespace not found" });
  });

  test("a blocked list is woken by a new one", async () => {
    const waiting = fixture.http.get("/v1/namespaces?index=1&wait=10s");
    await fixture.commit({ kind: "namespace", namespace: aNamespace("web") });
    expect((await waiting).json).toHaveLength(2);
  });

  test("are put by body or path, and deleted", async () => {
    await fixture.http.send("PUT", "/v1/namespace", { Name: "a", Description: "d" });
    await fixture.http.send("POST", "/v1/namespace/b", { Description: "d" });
    const { json } = await fixture.http.request("DELETE", "/v1/namespace/b");
    expect(json).toEqual({ Index: 12 });
    expect(fixture.calls).toEqual([
      ["putNamespace", { ...aNamespace("a"), Description: "d" }],
      ["putNamespace", { ...aNamespace("b"), Description: "d" }],
      ["deleteNamespace", "b"],
    ]);
  });

  test.each([
    ["/v1/namespace", { Name: "*" }, /^Namespace\.Name: got "\*", want at most 128 letters/],
    ["/v1/namespace", {}, /^Namespace\.Name: got nothing/],
    ["/v1/namespace/a", { Name: "b" }, /^Namespace\.Name: got "b", want the path's "a"/],
    ["/v1/namespace", { Name: "a", Quota: "q" }, /^Namespace\.Quota: got "q"/],
    ["/v1/namespace", { Name: "a", Description: "x".repeat(257) }, /^Namespace\.Description/],
  ])("%s with %j is refused", async (path, body, text) => {
    const response = await fixture.http.send("PUT", path, body);
    expect([response.status, response.text]).toEqual([400, expect.stringMatching(text)]);
    expect(fixture.calls).toEqual([]);
  });
});

describe("search", () => {
  const search = async (body: object, query = "") =>
    (await fixture.http.send("PUT", `/v1/search${query}`, body)).json as Record<string, unknown>;

  test("finds what begins with a text, by context", async () => {
    const job = aJob("web");
    const evaluation = anEvaluation(job, { ID: "5d61b586-2858-7846-d620-c338c16179cc" });
    await fixture.commit({ kind: "job", job, spec: true }, { kind: "eval", eval: evaluation }, { kind: "node", node: aNode });
    expect(await search({ Prefix: "we", Context: "jobs" })).toEqual({
      Index: 2,
      KnownLeader: true,
      LastContact: 0,
      Matches: { jobs: ["web"] },
      NextToken: "",
      Truncations: { jobs: false },
    });
    expect((await search({ Prefix: "5D61b5862", Context: "all" })).Matches).toEqual({ evals: [evaluation.ID] });
    expect((await search({ Prefix: "5d61b586-28", Context: "evals" })).Matches).toEqual({ evals: [evaluation.ID] });
    expect((await search({ Prefix: NODE_ID.slice(0, 7) })).Matches).toEqual({ nodes: [NODE_ID] });
    expect((await search({ Prefix: "we", Context: "jobs" }, "?namespace=other")).Matches).toEqual({});
    expect((await search({ Prefix: "we", Context: "jobs" }, "?namespace=*")).Matches).toEqual({ jobs: ["web"] });
  });

  test("tells no more than 20, and that there is more", async () => {
    await fixture.commit(...Array.from({ length: 21 }, (_, i) => ({ kind: "job" as const, spec: true, job: aJob(`web-${i}`) })));
    const found = await search({ Prefix: "web", Context: "jobs" });
    expect((found.Matches as { jobs: string[] }).jobs).toHaveLength(20);
    expect(found.Truncations).toEqual({ jobs: true });
  });

  test("finds a part of a name with where it is", async () => {
    const job = aJob("web-api");
    const alloc = anAllocation(job);
    await fixture.commit({ kind: "job", job, spec: true }, { kind: "alloc-create", alloc }, { kind: "node", node: aNode });
    const fuzzy = async (Text: string, Context = "all") =>
      ((await fixture.http.send("POST", "/v1/search/fuzzy", { Text, Context })).json as { Matches: unknown }).Matches;
    expect(await fuzzy("API")).toEqual({
      allocs: [{ ID: "web-api.g[0]", Scope: ["default", alloc.ID] }],
      jobs: [{ ID: "web-api", Scope: ["default", "web-api"] }],
    });
    expect(await fuzzy("bin/tr", "commands")).toEqual({ commands: [{ ID: "/bin/true", Scope: ["default", "web-api", "g", "t"] }] });
    expect(await fuzzy("worker")).toEqual({ nodes: [{ ID: "worker", Scope: [NODE_ID] }] });
  });

  test.each([
    ["/v1/search", { Context: "things" }, /^Context: got "things", want one of allocs, /],
    ["/v1/search", { Prefix: 5 }, /^Prefix: got 5, want a string/],
    ["/v1/search/fuzzy", { Text: "a" }, /^Text: got "a", want at least 2 characters/],
  ])("%s with %j is refused", async (path, body, text) => {
    const response = await fixture.http.send("PUT", path, body);
    expect([response.status, response.text]).toEqual([400, expect.stringMatching(text)]);
  });
});

describe("specifications", () => {
  test("a validation says what a registration would, and stores nothing", async () => {
    const validate = async (Job: object) => (await fixture.http.send("PUT", "/v1/validate/job", { Job })).json;
    expect(await validate(jobInput("web"))).toEqual({ DriverConfigValidated: true, Error: "", ValidationErrors: null, Warnings: "" });
    const wrong = 'Job.Priority: got "high", want a whole number from 1 to 100';
    expect(await validate(jobInput("web", { Priority: "high" }))).toEqual({
      DriverConfigValidated: true,
      Error: `1 error occurred:\n\t* ${wrong}\n\n`,
      ValidationErrors: [wrong],
      Warnings: "",
    });
    expect(await validate(jobInput("web", { Namespace: "nope" }))).toMatchObject({
      ValidationErrors: ['job "web" is in nonexistent namespace "nope"'],
    });
    const services = [{ Name: "g", Tasks: [{ Name: "t", Driver: "raw_exec", Services: [{ Name: "s" }] }] }];
    expect(await validate(jobInput("web", { TaskGroups: services }))).toMatchObject({
      Warnings: '1 warning:\n\n* task "t" in group "g" defines services, but has no shutdown_delay set',
    });
    expect(fixture.calls).toEqual([]);
    expect((await fixture.http.send("PUT", "/v1/validate/job", {})).text).toBe("Job must be specified");
  });

  test("a parsed job has its defaults only when it is asked for them", async () => {
    const parse = (body: object) => fixture.http.send("POST", "/v1/jobs/parse", body);
    expect((await parse({ JobHCL: "job", Variables: "a = 1" })).json).not.toHaveProperty("Priority");
    expect((await parse({ JobHCL: "job", Canonicalize: true })).json).toMatchObject({ ID: "web", Priority: 50 });
    expect(fixture.calls).toEqual([
      ["parse", "job", "a = 1"],
      ["parse", "job", ""],
    ]);
    expect(await parse({})).toMatchObject({ status: 400, text: "Job spec is empty" });
    expect(await parse({ JobHCL: "job", HCLv1: true })).toMatchObject({ status: 400 });
  });
});

test("garbage is collected when it is asked for", async () => {
  expect((await fixture.http.send("PUT", "/v1/system/gc", {})).status).toBe(200);
  expect((await fixture.http.send("PUT", "/v1/system/reconcile/summaries", "")).status).toBe(200);
  expect(fixture.calls).toEqual([["collectGarbage"]]);
});

describe("evaluations", () => {
  test("are counted by job, status, filter and namespace", async () => {
    const [web, db] = [aJob("web"), aJob("db")];
    for (const job of [web, db]) await fixture.commit({ kind: "job", job, spec: true });
    await fixture.commit(
      { kind: "eval", eval: anEvaluation(web) },
      { kind: "eval", eval: anEvaluation(web, { Status: "blocked" }) },
      { kind: "eval", eval: anEvaluation(db) },
    );
    const count = async (query: string) => ((await fixture.http.get(`/v1/evaluations/count${query}`)).json as { Count: number }).Count;
    expect(await Promise.all(["", "?job=web", "?status=blocked", "?namespace=other", '?filter=JobID%20%3D%3D%20"db"'].map(count))).toEqual([
      3, 2, 1, 0, 1,
    ]);
  });

  test("one is told with those it is related to, over all steps", async () => {
    const job = aJob("web");
    const third = anEvaluation(job, { Status: "blocked" });
    const second = anEvaluation(job, { BlockedEval: third.ID });
    const first = anEvaluation(job, { NextEval: second.ID });
    await fixture.commit(...[first, second, third].map((e) => ({ kind: "eval" as const, eval: e })));
    const { json } = await fixture.http.get(`/v1/evaluation/${first.ID}?related=true`);
    expect((json as { RelatedEvals: { ID: string }[] }).RelatedEvals.map(({ ID }) => ID)).toEqual([second.ID, third.ID]);
    expect((await fixture.http.get(`/v1/evaluation/${first.ID}`)).json).not.toHaveProperty("RelatedEvals");
  });
});

describe("summaries and stubs", () => {
  test("a parent tells how many of its children there are, by status", async () => {
    const child = (ID: string, Status: string) => ({
      kind: "job" as const,
      spec: true,
      job: { ...aJob(ID), ParentID: "p", Status: Status as "dead" },
    });
    await fixture.commit(
      { kind: "job", job: aJob("p"), spec: true },
      child("p/1", "dead"),
      child("p/2", "running"),
      child("p/3", "running"),
    );
    expect((await fixture.http.get("/v1/job/p/summary")).json).toMatchObject({ Children: { Dead: 1, Pending: 0, Running: 2 } });
    const { json } = await fixture.http.get("/v1/jobs?meta=true&prefix=p/");
    expect((json as { ID: string; Meta: null }[]).map(({ ID, Meta }) => [ID, Meta])).toEqual([
      ["p/1", null],
      ["p/2", null],
      ["p/3", null],
    ]);
  });
});
