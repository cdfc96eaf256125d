import { pino } from "pino";
import { ManualClock } from "../../api/testing/manual.js";
import { MemoryStore } from "../store/memory-store.js";
import { aDeployment, aJob, aNode, anAlloc, anEval, aRegistration } from "../store/testing/samples.js";
import { encodeEvent } from "./event.js";
import { EventBroker, type Heard, type Subscription } from "./event-broker.js";
import { EventFilter } from "./event-filter.js";

let clock: ManualClock;
let store: MemoryStore;
let broker: EventBroker;
const gone = new AbortController();
const forever = 3_600_000;

beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryStore({ clock, log: pino({ level: "silent" }) });
  broker = new EventBroker({ store, clock, options: { bufferedEvents: 4, bufferedBytes: 100_000, maxSubscribers: 2 } });
});
afterEach(async () => {
  broker.close();
  await store.close();
});

const subscribe = (topics: readonly string[] = [], index = 0, namespace = "*"): Subscription =>
  broker.subscribe(new EventFilter(topics, namespace), index, gone.signal);
const job = (ID: string, more: object = {}) => store.commit([{ kind: "job", spec: true, job: aJob({ ID, ...more }) }]);
const keys = (heard: Heard): readonly string[] =>
  heard.kind === "events" ? heard.events.map(({ Topic, Type, Key }) => `${Topic} ${Type} ${Key}`) : [heard.kind];

test("every kind of change is told by its topic, with the object as it is after it", async () => {
  const all = subscribe();
  const alloc = anAlloc("a1", { JobID: "web", DeploymentID: "d1" });
  const commits = [
    () => job("web"),
    () => store.commit([{ kind: "node", node: aNode() }]),
    () => store.commit([{ kind: "eval", eval: anEval("e1", { JobID: "web" }) }]),
    () => store.commit([{ kind: "deployment", deployment: aDeployment("d1", { JobID: "web" }) }]),
    () => store.commit([{ kind: "alloc-create", alloc }]),
    () => store.commit([{ kind: "alloc-desired", id: "a1", patch: { DesiredStatus: "stop" } }]),
    () => store.commit([{ kind: "alloc-observed", id: "a1", patch: { ClientStatus: "running" } }]),
    () => store.commit([{ kind: "service", service: aRegistration("s1", { AllocID: "a1" }) }]),
    () => store.commit([{ kind: "service-delete", service: aRegistration("s1", { AllocID: "a1" }) }]),
    () => job("web", { Stop: true, Version: 1 }),
    () => store.commit([{ kind: "job-delete", namespace: "default", id: "web" }]),
  ];
  const told: string[] = [];
  for (const commit of commits) {
    await commit();
    told.push(...keys(await all.next(forever)));
  }
  expect(told).toEqual([
    "Job JobRegistered web",
    `Node NodeRegistration ${aNode().ID}`,
    "Evaluation EvaluationUpdated e1",
    "Deployment DeploymentStatusUpdate d1",
    "Allocation PlanResult a1",
    "Allocation PlanResult a1",
    "Allocation AllocationUpdated a1",
    "Service ServiceRegistration s1",
    "Service ServiceDeregistration s1",
    "Job JobDeregistered web",
    "Job JobDeregistered web",
  ]);
});

test("an allocation's event has the form of the reference: without its job, found by job and deployment", async () => {
  const all = subscribe(["Allocation"]);
  const index = await store.commit([{ kind: "alloc-create", alloc: anAlloc("a1", { JobID: "web", DeploymentID: "d1" }) }]);
  const heard = await all.next(forever);
  const [event] = heard.kind === "events" ? heard.events : [];
  if (!event) throw new Error("no event");
  const { Payload, ...told } = JSON.parse(encodeEvent(event, index));
  expect(told).toEqual({
    FilterKeys: ["web", "d1"],
    Index: index,
    Key: "a1",
    Namespace: "default",
    Topic: "Allocation",
    Type: "PlanResult",
  });
  expect(Payload.Allocation).toMatchObject({ ID: "a1", ClientStatus: "pending", ModifyIndex: index, Job: null });
});

test.each<[readonly string[], string, readonly string[]]>([
  [["Job"], "*", ["web", "db"]],
  [["Job:web"], "*", ["web"]],
  [["Job:web", "Job:db"], "*", ["web", "db"]],
  [["Evaluation:web"], "*", ["e1"]],
  [["*:web"], "*", ["web", "e1"]],
  [["*"], "default", ["web", "db", "e1"]],
  [["*"], "other", []],
  [["NodePool"], "*", []],
])("topics %j in namespace %s tell %j", async (topics, namespace, expected) => {
  await job("web");
  await job("db");
  await store.commit([{ kind: "eval", eval: anEval("e1", { JobID: "web" }) }]);
  const subscription = subscribe(topics, 0, namespace);
  const told: string[] = [];
  for (let heard = await subscription.next(0); heard.kind === "events"; heard = await subscription.next(0))
    told.push(...heard.events.map(({ Key }) => Key));
  expect(told).toEqual(expected);
});

test.each([["Jobs"], ["Job:"], [""]])("topic %j is refused", (topic) => {
  expect(() => new EventFilter([topic], "*")).toThrow(/^topic: got/);
});

test("a subscriber begins with the index that it asks for, or the next that is still there", async () => {
  const indexes: number[] = [];
  for (const id of ["a", "b", "c", "d", "e", "f"]) indexes.push(await job(id));
  expect(keys(await subscribe([], indexes[4]).next(0))).toEqual(["Job JobRegistered e"]);
  const first = subscribe([], 1);
  expect(keys(await first.next(0))).toEqual(["Job JobRegistered c"]);
  first.close();
  expect(keys(await subscribe([], 10_000).next(0))).toEqual(["silence"]);
});

test("whoever lags behind too far is told what is lost, and nothing is kept for it", async () => {
  const slow = subscribe();
  const indexes: number[] = [];
  for (let i = 0; i < 20; i++) indexes.push(await job(`job-${i}`));
  expect(await slow.next(forever)).toEqual({ kind: "lost", index: indexes[16] });
});

test("large jobs are kept only as long as they fit", async () => {
  const indexes: number[] = [];
  for (const id of ["a", "b", "c"]) indexes.push(await job(id, { Opaque: "x".repeat(40_000) }));
  expect(keys(await subscribe([], 1).next(0))).toEqual(["Job JobRegistered b"]);
  await job("d", { Opaque: "x".repeat(200_000) });
  expect(keys(await subscribe([], 1).next(0))).toEqual(["Job JobRegistered d"]);
});

test("a change of more events than are kept is told whole to who listens", async () => {
  const all = subscribe();
  await store.commit(Array.from({ length: 10 }, (_, i) => ({ kind: "job" as const, spec: true, job: aJob({ ID: `job-${i}` }) })));
  expect(keys(await all.next(forever))).toHaveLength(10);
  expect(keys(await subscribe().next(0))).toHaveLength(10);
});

test("a job's change of status alone is no event", async () => {
  await job("web");
  const all = subscribe([], store.index + 1);
  await store.commit([{ kind: "job", spec: false, job: aJob({ Status: "running" }) }]);
  expect(keys(await all.next(0))).toEqual(["silence"]);
});

test("silence ends after its time, and a change ends it before", async () => {
  const all = subscribe();
  const silence = all.next(10_000);
  await clock.advance(10_000);
  expect(await silence).toEqual({ kind: "silence" });
  const heard = all.next(10_000);
  await job("web");
  expect(keys(await heard)).toEqual(["Job JobRegistered web"]);
});

test("there are only so many subscribers, and who leaves makes room", () => {
  const [first] = [subscribe(), subscribe()];
  expect(() => subscribe()).toThrow("event stream: 2 are open already, which is the limit");
  first.close();
  first.close();
  subscribe();
  expect(() => subscribe()).toThrow("event stream");
});

test("the end of the agent and of the client ends a subscription that waits", async () => {
  const client = new AbortController();
  const subscription = broker.subscribe(new EventFilter([], "*"), 0, client.signal);
  const waiting = subscription.next(forever);
  client.abort();
  expect(await waiting).toEqual({ kind: "end" });
  const other = subscribe();
  const ending = other.next(forever);
  broker.close();
  expect(await ending).toEqual({ kind: "end" });
});
