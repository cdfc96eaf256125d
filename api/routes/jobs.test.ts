import { type Fixture, startApi } from "../testing/fixture.js";
import { aDeployment, aJob, anAllocation, anEvaluation, jobInput, UNKNOWN_ID } from "../testing/objects.js";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startApi();
});
afterEach(() => fixture.close());

const store = async (...ids: string[]): Promise<void> => {
  for (const id of ids) await fixture.commit({ kind: "job", job: aJob(id), spec: true });
};

describe("registering", () => {
  test.each([
    ["PUT", "/v1/jobs"],
    ["POST", "/v1/jobs"],
    ["PUT", "/v1/job/web"],
  ])("by %s %s hands on the whole job, defaults filled in", async (method, path) => {
    const response = await fixture.http.send(method, path, { Job: jobInput("web") });
    expect(response.status).toBe(200);
    expect(response.json).toEqual({
      EvalCreateIndex: 7,
      EvalID: "5d61b586-2858-7846-d620-c338c16179cc",
      Index: 7,
      JobModifyIndex: 6,
      KnownLeader: false,
      LastContact: 0,
      NextToken: "",
      Warnings: "",
    });
    expect(response.headers["x-nomad-index"]).toBe("7");
    expect(fixture.calls).toEqual([["register", expect.objectContaining({ ID: "web", Priority: 50 }), {}]]);
  });

  test("enforces an index when asked to", async () => {
    await fixture.http.send("PUT", "/v1/jobs", { Job: jobInput("web"), EnforceIndex: true, JobModifyIndex: 12 });
    await fixture.http.send("PUT", "/v1/jobs", { Job: jobInput("web"), EnforceIndex: true });
    await fixture.http.send("PUT", "/v1/jobs", { Job: jobInput("web"), EnforceIndex: false, JobModifyIndex: 12 });
    expect(fixture.calls.map((call) => call[2])).toEqual([{ enforceIndex: 12 }, { enforceIndex: 0 }, {}]);
  });

  test("takes the namespace of the query for a job that has none", async () => {
    await fixture.http.send("PUT", "/v1/jobs?namespace=a", { Job: jobInput("web") });
    await fixture.http.send("PUT", "/v1/jobs?namespace=a", { Job: jobInput("web", { Namespace: "b" }) });
    expect(fixture.calls.map((call) => (call[1] as { Namespace: string }).Namespace)).toEqual(["a", "b"]);
  });

  test.each([
    ["", /Request body is empty/],
    ["{}", /^Job: got nothing/],
    ['{"Job":null}', /^Job: got nothing/],
    ['{"Job":[]}', /^Job: got \[\]/],
    [JSON.stringify({ Job: jobInput("web", { Priority: "high" }) }), /Job\.Priority: got "high"/],
    [JSON.stringify({ Job: jobInput("web", { TaskGroups: [{ Name: "g", Count: -1, Tasks: [] }] }) }), /Job\.TaskGroups\[0\]/],
    [JSON.stringify({ Job: jobInput("web"), EnforceIndex: true, JobModifyIndex: -1 }), /^JobModifyIndex: got -1/],
  ])("%s is refused by the field and what was given", async (body, text) => {
    const response = await fixture.http.send("PUT", "/v1/jobs", body);
    expect([response.status, response.text]).toEqual([400, expect.stringMatching(text)]);
    expect(fixture.calls).toEqual([]);
  });

  test("under another id than the path's is refused", async () => {
    const response = await fixture.http.send("PUT", "/v1/job/other", { Job: jobInput("web") });
    expect([response.status, response.text]).toEqual([400, 'Job.ID: got "web", want the path\'s "other"']);
  });
});

describe("listing", () => {
  test("is by id, with a summary by group", async () => {
    await store("b", "a");
    const job = fixture.store.job("default", "a") ?? aJob("a");
    const [x, y] = [anAllocation(job), anAllocation(job)];
    await fixture.commit(
      { kind: "alloc-create", alloc: x },
      { kind: "alloc-create", alloc: y },
      { kind: "alloc-observed", id: x.ID, patch: { ClientStatus: "running" } },
      { kind: "eval", eval: anEvaluation(job) },
    );
    const { json } = await fixture.http.get("/v1/jobs");
    expect(json).toMatchObject([
      { ID: "a", JobSummary: { Summary: { g: { Running: 1, Starting: 1, Queued: 2, Failed: 0 } } } },
      { ID: "b" },
    ]);
    expect((await fixture.http.get("/v1/job/a/summary")).json).toEqual((json as { JobSummary: object }[])[0]?.JobSummary);
  });

  test("has every field of the reference", async () => {
    await store("a");
    const [stub] = (await fixture.http.get("/v1/jobs")).json as object[];
    expect(Object.keys(stub ?? {})).toEqual(
      "CreateIndex Datacenters ID JobModifyIndex JobSummary ModifyIndex Multiregion Name Namespace NodePool ParameterizedJob ParentID Periodic Priority Status StatusDescription Stop SubmitTime Type".split(
        " ",
      ),
    );
  });

  test("takes a prefix of any characters and cuts pages", async () => {
    await store("web-1", "web-2", "db", "web.3");
    const ids = async (query: string) => ((await fixture.http.get(`/v1/jobs?${query}`)).json as { ID: string }[]).map((job) => job.ID);
    expect(await ids("prefix=web")).toEqual(["web-1", "web-2", "web.3"]);
    expect(await ids("per_page=2")).toEqual(["db", "web-1"]);
    expect(await ids("per_page=2&next_token=default.web-2")).toEqual(["web-2", "web.3"]);
    expect(await ids("namespace=nope")).toEqual([]);
  });

  test("blocks until a job, an allocation or an evaluation changes", async () => {
    await store("a");
    const index = (await fixture.http.get("/v1/jobs")).headers["x-nomad-index"];
    const blocked = fixture.http.get(`/v1/jobs?index=${index}&wait=60s`);
    while (fixture.api.blockedQueries() === 0) await new Promise(setImmediate);
    await fixture.commit({ kind: "alloc-create", alloc: anAllocation(aJob("a")) });
    expect((await blocked).json).toMatchObject([{ JobSummary: { Summary: { g: { Starting: 1 } } } }]);
  });
});

describe("one job", () => {
  test("is found by an id with slashes, percent signs and dots", async () => {
    const id = "team/a%2F.b:c";
    await store(id);
    for (const below of ["", "/summary"]) expect((await fixture.http.get(`/v1/job/${encodeURIComponent(id)}${below}`)).status).toBe(200);
  });

  test("unknown is 404, its lists are empty", async () => {
    for (const path of ["/v1/job/nope", "/v1/job/nope/summary", "/v1/job/nope?namespace=other"]) {
      const response = await fixture.http.get(path);
      expect([response.status, response.text]).toEqual([404, "job not found"]);
    }
    for (const list of ["allocations", "evaluations", "deployments"])
      expect((await fixture.http.get(`/v1/job/nope/${list}`)).text).toBe("[]");
    expect((await fixture.http.get("/v1/job/nope/deployment")).text).toBe("null");
  });

  test("is deregistered, and purged when asked", async () => {
    const response = await fixture.http.request(
      "DELETE",
      "/v1/job/a%2Fb?eval_priority=0&global=false&namespace=default&no_shutdown_delay=false&purge=true",
    );
    expect(response.json).toMatchObject({ EvalID: "5d61b586-2858-7846-d620-c338c16179cc", JobModifyIndex: 6, Index: 7 });
    await fixture.http.request("DELETE", "/v1/job/a?no_shutdown_delay=true");
    expect(fixture.calls).toEqual([
      ["deregister", "default", "a/b", { purge: true, noShutdownDelay: false }],
      ["deregister", "default", "a", { purge: false, noShutdownDelay: true }],
    ]);
    expect((await fixture.http.request("DELETE", "/v1/job/unknown")).status).toBe(404);
    expect((await fixture.http.request("DELETE", "/v1/job/a?purge=banana")).status).toBe(400);
  });

  test("lists its own allocations, evaluations and deployments", async () => {
    await store("a");
    const job = fixture.store.job("default", "a") ?? aJob("a");
    const alloc = anAllocation(job);
    const evaluation = anEvaluation(job);
    const deployment = aDeployment(job);
    await fixture.commit(
      { kind: "alloc-create", alloc },
      { kind: "alloc-create", alloc: anAllocation(aJob("b")) },
      { kind: "eval", eval: evaluation },
      { kind: "deployment", deployment },
    );
    expect((await fixture.http.get("/v1/job/a/allocations?all=false&namespace=default")).json).toMatchObject([
      { ID: alloc.ID, JobID: "a" },
    ]);
    expect((await fixture.http.get("/v1/job/a/evaluations")).json).toMatchObject([{ ID: evaluation.ID }]);
    expect((await fixture.http.get("/v1/job/a/deployments?all=true")).json).toMatchObject([{ ID: deployment.ID }]);
    expect((await fixture.http.get("/v1/job/a/deployment")).json).toMatchObject({ ID: deployment.ID });
  });

  test("leaves out the allocations of an earlier job of its name unless asked for all", async () => {
    await store("a");
    await fixture.commit({ kind: "alloc-create", alloc: anAllocation({ ...aJob("a"), CreateIndex: 1_000 }) });
    expect((await fixture.http.get("/v1/job/a/allocations")).json).toEqual([]);
    expect((await fixture.http.get("/v1/job/a/allocations?all=true")).json).toHaveLength(1);
  });
});

describe("evaluations and deployments", () => {
  test("are listed, filtered and read", async () => {
    await store("a");
    const job = fixture.store.job("default", "a") ?? aJob("a");
    const [done, waiting] = [anEvaluation(job), anEvaluation(job, { Status: "blocked" })];
    const deployment = aDeployment(job);
    const alloc = anAllocation(job, { EvalID: done.ID });
    await fixture.commit(
      { kind: "eval", eval: done },
      { kind: "eval", eval: waiting },
      { kind: "deployment", deployment },
      { kind: "alloc-create", alloc },
    );
    expect((await fixture.http.get("/v1/evaluations")).json).toHaveLength(2);
    expect((await fixture.http.get("/v1/evaluations?status=blocked&job=a")).json).toMatchObject([{ ID: waiting.ID }]);
    expect((await fixture.http.get(`/v1/evaluation/${done.ID}?related=true`)).json).toMatchObject({ ID: done.ID, Status: "complete" });
    expect((await fixture.http.get(`/v1/evaluation/${done.ID}/allocations`)).json).toMatchObject([{ ID: alloc.ID }]);
    expect((await fixture.http.get("/v1/deployments")).json).toMatchObject([{ ID: deployment.ID }]);
    expect((await fixture.http.get(`/v1/deployment/${deployment.ID}?stale=`)).json).toMatchObject({ ID: deployment.ID });
  });

  test.each([
    [`/v1/evaluation/${UNKNOWN_ID}`, "eval not found"],
    [`/v1/deployment/${UNKNOWN_ID}`, "deployment not found"],
    [`/v1/node/${UNKNOWN_ID}`, "node not found"],
  ])("%s is 404", async (path, text) => {
    const response = await fixture.http.get(path);
    expect([response.status, response.text]).toEqual([404, text]);
  });
});
