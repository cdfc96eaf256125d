import type { Job } from "../model/job.js";
import type { DispatchRequest } from "./dispatch.js";
import { aBatch } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

let host: Host;
beforeEach(async () => {
  host = await Host.started();
});
afterEach(() => host.close());

const parameterized = (config: object = {}, change: Partial<Job> = {}): Job =>
  aBatch({ ParameterizedJob: { Payload: "optional", MetaRequired: null, MetaOptional: null, ...config }, ...change });
const request = (change: Partial<DispatchRequest> = {}): DispatchRequest => ({
  payload: Buffer.alloc(0),
  meta: {},
  idPrefix: "",
  idempotencyToken: "",
  priority: undefined,
  ...change,
});
const dispatch = (change: Partial<DispatchRequest> = {}, id = "job") => host.jobs.dispatch("default", id, request(change));

test("a dispatch launches a child with payload and meta, and the parent only waits", async () => {
  await host.register(parameterized({ MetaRequired: ["who"], MetaOptional: ["why"] }, { Meta: { who: "default", kept: "yes" } }));
  expect(host.job().Status).toBe("running");
  expect(host.allocs()).toEqual([]);
  const result = await dispatch({ payload: Buffer.from("hello"), meta: { who: "me" }, priority: 80 });
  await host.settle();
  expect(result.DispatchedJobID).toMatch(/^job\/dispatch-\d+-[0-9a-f]{8}$/);
  expect(result.JobCreateIndex).toBe(result.EvalCreateIndex);
  const child = host.job(result.DispatchedJobID);
  expect(child).toMatchObject({ ParentID: "job", Dispatched: true, Payload: "aGVsbG8=", Priority: 80, Status: "running", Version: 0 });
  expect(child.Meta).toEqual({ who: "me", kept: "yes" });
  expect(host.live(child.ID)).toHaveLength(1);
  expect(host.store.eval(result.EvalID)).toMatchObject({ TriggeredBy: "job-register", JobID: child.ID });
  await host.report(host.only(child.ID), "complete");
  expect([host.job(child.ID).Status, host.job().Status]).toEqual(["dead", "running"]);
});

test("a prefix is part of the child's id", async () => {
  await host.register(parameterized());
  expect((await dispatch({ idPrefix: "night" })).DispatchedJobID).toMatch(/^job\/dispatch-night-\d+-[0-9a-f]{8}$/);
});

test("two dispatches with one token are one, at the same time too, and also after a restart", async () => {
  await host.register(parameterized());
  const [a, b] = await Promise.all([dispatch({ idempotencyToken: "once" }), dispatch({ idempotencyToken: "once" })]);
  expect(b).toMatchObject({ DispatchedJobID: a.DispatchedJobID, EvalID: a.EvalID });
  await host.restart();
  expect((await dispatch({ idempotencyToken: "once" })).DispatchedJobID).toBe(a.DispatchedJobID);
  expect((await dispatch({ idempotencyToken: "twice" })).DispatchedJobID).not.toBe(a.DispatchedJobID);
});

test.each<[string, object, Partial<DispatchRequest>, string]>([
  ["without the payload it needs", { Payload: "required" }, {}, "Payload is not provided but required by parameterized job"],
  ["with a payload it must not have", { Payload: "forbidden" }, { payload: Buffer.from("x") }, "Payload provided but forbidden"],
  ["with too large a payload", {}, { payload: Buffer.alloc(16_385) }, "Payload exceeds maximum size; 16385 > 16384"],
  ["without its meta", { MetaRequired: ["a", "b"] }, { meta: { a: "1" } }, 'Dispatch did not provide required meta keys: ["b"]'],
  ["with other meta", { MetaOptional: ["a"] }, { meta: { c: "1" } }, 'Dispatch request included unpermitted metadata keys: ["c"]'],
])("a dispatch %s is refused, and nothing is launched", async (_, config, change, text) => {
  await host.register(parameterized(config));
  await expect(dispatch(change)).rejects.toThrow(text);
  expect(host.store.childrenOfJob("default", "job")).toEqual([]);
});

test("a payload of exactly 16 KiB is taken", async () => {
  await host.register(parameterized());
  await expect(dispatch({ payload: Buffer.alloc(16_384) })).resolves.toMatchObject({ EvalID: expect.any(String) });
});

test("only a parameterized job that is not stopped can be dispatched", async () => {
  await expect(dispatch()).rejects.toMatchObject({ message: "parameterized job not found", status: 404 });
  await host.register(aBatch({ ID: "plain" }));
  await expect(dispatch({}, "plain")).rejects.toThrow('Specified job "plain" is not a parameterized job');
  await host.register(parameterized());
  const { DispatchedJobID: child } = await dispatch();
  await expect(dispatch({}, child)).rejects.toThrow("is not a parameterized job");
  await host.jobs.deregister("default", "job", { purge: false, noShutdownDelay: false });
  await expect(dispatch()).rejects.toMatchObject({ message: 'Specified job "job" is stopped', status: 409 });
  expect(host.live(child)).toHaveLength(1);
});

test("a dispatch that the disk refuses is told, and leaves nothing", async () => {
  await host.register(parameterized());
  host.store.failWrites();
  await expect(dispatch()).rejects.toMatchObject({ status: 507 });
  host.store.heal();
  await host.pass(6_000);
  expect(host.store.childrenOfJob("default", "job")).toEqual([]);
});
