import { type Fixture, startApi } from "../testing/fixture.js";
import { aJob } from "../testing/objects.js";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startApi();
});
afterEach(() => fixture.close());

const version = (Version: number, more: Readonly<Record<string, unknown>> = {}) =>
  fixture.commit({ kind: "job", spec: true, job: { ...aJob("web", more), Version } });
const task = (Env: object) => ({
  TaskGroups: [{ Name: "g", Tasks: [{ Name: "t", Driver: "raw_exec", Env, Config: { command: "/bin/true" } }] }],
});

describe("versions", () => {
  test("are told newest first, without differences unless these are asked for", async () => {
    await version(0);
    const index = await version(1, { Priority: 60 });
    const { json, headers } = await fixture.http.get("/v1/job/web/versions?diffs=false");
    expect(json).toMatchObject({ Diffs: null, Index: index, KnownLeader: true, LastContact: 0, NextToken: "" });
    expect((json as { Versions: { Version: number }[] }).Versions.map((job) => job.Version)).toEqual([1, 0]);
    expect(headers["x-nomad-index"]).toBe(String(index));
  });

  test("are told with what each one changed", async () => {
    await version(0, task({ A: "1", B: "2" }));
    await version(1, { ...task({ A: "1", B: "3", C: "4" }), Priority: 60, Datacenters: ["dc1"] });
    const { json } = await fixture.http.get("/v1/job/web/versions?diffs=true");
    const field = (Name: string, Old: string, New: string, Type: string) => ({ Annotations: null, Name, New, Old, Type });
    expect((json as { Diffs: unknown }).Diffs).toEqual([
      {
        Fields: [field("Priority", "50", "60", "Edited")],
        ID: "web",
        Objects: [
          {
            Fields: [field("Datacenters", "", "dc1", "Added"), field("Datacenters", "*", "", "Deleted")],
            Name: "Datacenters",
            Objects: null,
            Type: "Edited",
          },
        ],
        TaskGroups: [
          {
            Fields: null,
            Name: "g",
            Objects: null,
            Tasks: [
              {
                Annotations: null,
                Fields: [field("Env[B]", "2", "3", "Edited"), field("Env[C]", "", "4", "Added")],
                Name: "t",
                Objects: null,
                Type: "Edited",
              },
            ],
            Type: "Edited",
            Updates: null,
          },
        ],
        Type: "Edited",
      },
    ]);
    const against = await fixture.http.get("/v1/job/web/versions?diff_version=1");
    expect((against.json as { Diffs: { Fields: unknown }[] }).Diffs.map(({ Fields }) => Fields)).toEqual([
      [field("Priority", "60", "50", "Edited")],
    ]);
  });

  test("a blocked query is woken when an earlier version is marked", async () => {
    await version(0);
    const index = await version(1, { Priority: 60 });
    const waiting = fixture.http.get(`/v1/job/web/versions?index=${index}&wait=10s`);
    await fixture.commit({ kind: "job-stable", namespace: "default", id: "web", version: 0, stable: true });
    expect(((await waiting).json as { Versions: { Stable: boolean }[] }).Versions.map(({ Stable }) => Stable)).toEqual([false, true]);
  });

  test.each([
    ["/v1/job/nope/versions", 404, "job versions not found"],
    ["/v1/job/web/versions?diff_version=9", 404, "job version 9 not found"],
    ["/v1/job/web/versions?diff_version=x", 400, 'diff_version: got "x", want the number of a version'],
    ["/v1/job/web/versions?diffs=maybe", 400, /^Failed to parse value of "diffs"/],
  ])("%s is %i", async (path, status, text) => {
    await version(0);
    const response = await fixture.http.get(path);
    expect([response.status, response.text]).toEqual([status, typeof text === "string" ? text : expect.stringMatching(text)]);
  });
});

describe("revert and stable", () => {
  test("hand on what the body says", async () => {
    const revert = await fixture.http.send("PUT", "/v1/job/web/revert", { JobID: "web", JobVersion: 0, EnforcePriorVersion: 3 });
    const stable = await fixture.http.send("POST", "/v1/job/web/stable?namespace=n", { JobVersion: 2, Stable: true });
    expect([revert.status, stable.status]).toEqual([200, 200]);
    expect(revert.json).toMatchObject({ EvalID: "5d61b586-2858-7846-d620-c338c16179cc", JobModifyIndex: 6 });
    expect(fixture.calls).toEqual([
      ["revert", "default", "web", 0, 3],
      ["setStable", "n", "web", 2, true],
    ]);
  });

  test.each([
    ["revert", {}, "JobVersion: got nothing, want the number of a version"],
    ["revert", { JobID: "db", JobVersion: 1 }, 'JobID: got "db", want the path\'s "web"'],
    ["revert", { JobVersion: -1 }, "JobVersion: got -1, want a whole number of 0 or more"],
    ["stable", { JobVersion: 1, Stable: "yes" }, 'Stable: got "yes", want true or false'],
  ])("%s of %j is refused", async (what, body, text) => {
    const response = await fixture.http.send("PUT", `/v1/job/web/${what}`, body);
    expect([response.status, response.text]).toEqual([400, text]);
    expect(fixture.calls).toEqual([]);
  });
});

describe("dispatch and force", () => {
  test("hand on payload, meta and token, for a child's id as it is or encoded", async () => {
    const body = { Payload: Buffer.from("hi").toString("base64"), Meta: { a: "b" }, IdPrefixTemplate: "p", Priority: 70 };
    const response = await fixture.http.send("PUT", "/v1/job/web/dispatch?idempotency_token=t", body);
    expect(response.json).toEqual({
      DispatchedJobID: "web/dispatch-1-00000000",
      EvalCreateIndex: 7,
      EvalID: "5d61b586-2858-7846-d620-c338c16179cc",
      Index: 7,
      JobCreateIndex: 7,
    });
    await fixture.http.send("PUT", "/v1/job/web/dispatch", "");
    await fixture.http.send("PUT", "/v1/job/web/periodic/force", "");
    await fixture.http.send("PUT", "/v1/job/web/dispatch-1-00000000/periodic/force", "");
    const request = { payload: Buffer.from("hi"), meta: { a: "b" }, idPrefix: "p", idempotencyToken: "t", priority: 70 };
    expect(fixture.calls).toEqual([
      ["dispatch", "default", "web", request],
      ["dispatch", "default", "web", { payload: Buffer.alloc(0), meta: {}, idPrefix: "", idempotencyToken: "", priority: undefined }],
      ["forcePeriodic", "default", "web"],
      ["forcePeriodic", "default", "web/dispatch-1-00000000"],
    ]);
  });

  test.each([
    [{ Payload: "no base64!" }, /^Dispatch\.Payload: got "no base64!", want base64/],
    [{ Meta: { a: 1 } }, /^Dispatch\.Meta\["a"\]: got 1/],
    [{ IdPrefixTemplate: "a b" }, /^Dispatch\.IdPrefixTemplate/],
    [{ Priority: 101 }, /^Dispatch\.Priority: got 101/],
  ])("a dispatch of %j is refused", async (body, text) => {
    const response = await fixture.http.send("PUT", "/v1/job/web/dispatch", body);
    expect(response.status).toBe(400);
    expect(response.text).toMatch(text);
  });
});
