import fc from "fast-check";
import type { DesiredAllocation } from "../../model/allocation.js";
import { defaultSchedulerConfig } from "../../model/scheduler-config.js";
import { MAX_TASK_EVENTS, type TaskState } from "../../model/task-state.js";
import type { Change, StateReader } from "../state-store.js";
import { aDeployment, aJob, aNamespace, aNode, anAlloc, anEval, aRegistration, aTaskEvent, aTaskState } from "./samples.js";

/** A change as the agent's parts make it, of few objects so that changes meet. */
export interface RandomChange {
  /** True when it goes on from what is there: its one writer waits for its own changes before it makes the next. */
  readonly afterAllBefore: boolean;
  make(reader: StateReader): Change;
}

const fixed = (change: Change): RandomChange => ({ afterAllBefore: false, make: () => change });
const after = (make: (reader: StateReader) => Change): RandomChange => ({ afterAllBefore: true, make });

const name = fc.constantFrom("a", "b", "c");
const jobId = fc.constantFrom("web", "größe/1");
const task = fc.constantFrom("main", "sidecar");
const version = fc.nat(9);
const time = fc.oneof(fc.bigInt(0n, 5n), fc.bigInt(10n ** 18n, 2n * 10n ** 18n));
const maybeTime = fc.option(time, { nil: null });
/** What a lossless parser gives: bigints only where a number would be inexact. */
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt(2n ** 53n, 2n ** 70n),
    fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true, max: 1e15, min: -1e15 }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(
      fc.string({ minLength: 1 }).filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 3, noNullPrototype: true },
    ),
  ),
})).value;

const job = fc.record({ ID: jobId, Version: version, SubmitTime: time, Stop: fc.boolean(), Opaque: json }).map((members) => aJob(members));

const desired: fc.Arbitrary<Partial<DesiredAllocation>> = fc.record(
  {
    EvalID: name,
    JobID: jobId,
    DesiredStatus: fc.constantFrom("run" as const, "stop" as const),
    SourceIndex: fc.oneof(fc.nat(), fc.bigInt(2n ** 53n, 2n ** 63n)),
    Job: job,
    RescheduleTracker: fc.record({
      Events: fc.array(fc.record({ RescheduleTime: time, PrevAllocID: name, PrevNodeID: name, Delay: fc.nat() }), { maxLength: 2 }),
      LastReschedule: fc.constant("ok"),
    }),
  },
  { requiredKeys: [] },
);

const eventMembers = fc.record(
  { Time: time, Message: fc.string(), ExitCode: fc.nat(255), FailsTask: fc.boolean(), Details: fc.dictionary(name, fc.string()) },
  { requiredKeys: ["Time"] },
);

const observed = fc
  .record({
    id: name,
    task,
    state: fc.record({
      State: fc.constantFrom("pending" as const, "running" as const, "dead" as const),
      StartedAt: maybeTime,
      LastRestart: maybeTime,
    }),
    events: fc.array(eventMembers, { maxLength: 7 }),
    Healthy: fc.option(fc.boolean(), { nil: null }),
    Timestamp: maybeTime,
  })
  .map(({ id, task, state, events, Healthy, Timestamp }) =>
    after((reader) => {
      const before: TaskState = reader.alloc(id)?.TaskStates?.[task] ?? aTaskState();
      const news = events.map((members) => aTaskEvent("Driver", members));
      const Events = [...before.Events, ...news].slice(-MAX_TASK_EVENTS);
      return {
        kind: "alloc-observed",
        id,
        patch: {
          ClientStatus: state.State === "dead" ? "complete" : "running",
          DeploymentStatus: { Healthy, Timestamp, Canary: false, ModifyIndex: 0 },
          TaskStates: { [task]: { ...before, ...state, Events } },
          events: news.map((event) => ({ task, run: 1, event })),
        },
      };
    }),
  );

const evaluation = fc
  .record({
    ID: fc.constantFrom("e1", "e2", "e3", "e4", "e5", "e6"),
    JobID: jobId,
    Status: fc.constantFrom("pending" as const, "complete" as const),
    WaitUntil: maybeTime,
  })
  .map(({ ID, ...members }) => anEval(ID, members));

const creationOrChange = fc.tuple(name, desired).map(([id, members]) =>
  after((reader) => {
    // An id that is there or was removed is refused, which is a test of its own.
    if (reader.alloc(id) || reader.isTombstone(id)) return { kind: "alloc-desired", id, patch: members };
    return { kind: "alloc-create", alloc: anAlloc(id, members) };
  }),
);

const removal = name.map((id) => fixed({ kind: "alloc-delete", id }));

const deployment = fc.record({ ID: name, JobID: jobId, RequireProgressBy: maybeTime }).map(({ ID, JobID, RequireProgressBy }) => {
  const group = { AutoRevert: false, AutoPromote: false, ProgressDeadline: 5, Promoted: false, PlacedCanaries: null };
  const counts = { DesiredCanaries: 0, DesiredTotal: 1, PlacedAllocs: 0, HealthyAllocs: 0, UnhealthyAllocs: 0 };
  return aDeployment(ID, { JobID, TaskGroups: { g: { ...group, ...counts, RequireProgressBy } } });
});

const scalingEvents = fc
  .record({ id: jobId, Count: fc.option(fc.nat(9), { nil: null }), Time: time, Message: fc.string() })
  .map(({ id, ...members }) => {
    const event = { ...members, PreviousCount: 1, Error: false, Meta: null, EvalID: "", CreateIndex: 0 };
    return fixed({ kind: "scaling-events", namespace: "default", id, events: { g: [event] } });
  });

const schedulerConfig = fc
  .boolean()
  .map((RejectJobRegistration) => fixed({ kind: "scheduler-config", config: { ...defaultSchedulerConfig, RejectJobRegistration } }));

const service = fc
  .record({
    ID: fc.constantFrom("s1", "s2", "s3"),
    AllocID: name,
    ServiceName: name,
    Tags: fc.array(name, { maxLength: 2 }),
    Port: fc.nat(3),
  })
  .map(({ ID, ...members }) => aRegistration(ID, members));

const handle = fc.record({
  run: fc.nat(),
  driver: fc.option(fc.dictionary(name, json, { noNullPrototype: true }), { nil: null }),
  hooksDone: fc.constant(["dirs"]),
});

const rules = { namespace: [{ name: "default", capabilities: ["read-job"], variables: [] }], node_pool: [], host_volume: [] };
const stamps = { CreateIndex: 0, ModifyIndex: 0 };
const tokenOf = (AccessorID: string, Name: string, ExpirationTime: bigint | null) => ({
  ...{ AccessorID, SecretHash: `hash of ${AccessorID}`, Name, Type: "client" as const, Policies: ["a"], Roles: [], Global: false },
  ...{ CreateTime: 1n, ExpirationTime, ...stamps },
});
const acl: fc.Arbitrary<Change> = fc
  .oneof(
    name.map((Name) => ({ put: "policy", value: { Name, Description: "", Rules: "", RulesJSON: rules, ...stamps } }) as const),
    fc.tuple(name, name).map(([ID, Name]) => ({ put: "role", value: { ID, Name, Description: "", Policies: ["a"], ...stamps } }) as const),
    fc.tuple(name, fc.string(), maybeTime).map(([id, of, expires]) => ({ put: "token", value: tokenOf(id, of, expires) }) as const),
    fc.tuple(fc.constantFrom("policy" as const, "role" as const, "token" as const), name).map(([drop, key]) => ({ drop, key })),
    fc.constant({ put: "bootstrap", value: { index: 0 } } as const),
  )
  .map((change) => ({ kind: "acl", change }));

export const randomChange: fc.Arbitrary<RandomChange> = fc.oneof(
  { weight: 4, arbitrary: creationOrChange },
  { weight: 5, arbitrary: observed },
  { weight: 2, arbitrary: removal },
  { weight: 4, arbitrary: fc.tuple(job, fc.boolean()).map(([of, spec]) => fixed({ kind: "job", job: of, spec })) },
  jobId.map((id) => fixed({ kind: "job-delete", namespace: "default", id })),
  fc.tuple(jobId, fc.nat()).map(([id, launch]) => fixed({ kind: "periodic-launch", namespace: "default", id, launch })),
  fc
    .tuple(jobId, version, fc.boolean())
    .map(([id, of, stable]) => fixed({ kind: "job-stable", namespace: "default", id, version: of, stable })),
  fc.tuple(name, fc.string()).map(([Name, Description]) => fixed({ kind: "namespace", namespace: aNamespace({ Name, Description }) })),
  name.map((of) => fixed({ kind: "namespace-delete", name: of })),
  { weight: 2, arbitrary: evaluation.map((of) => fixed({ kind: "eval", eval: of })) },
  evaluation.map(({ ID }) => fixed({ kind: "eval-delete", id: ID })),
  deployment.map((of) => fixed({ kind: "deployment", deployment: of })),
  name.map((id) => fixed({ kind: "deployment-delete", id })),
  { weight: 2, arbitrary: acl.map(fixed) },
  scalingEvents,
  schedulerConfig,
  { weight: 2, arbitrary: service.map((of) => fixed({ kind: "service", service: of })) },
  service.map((of) => fixed({ kind: "service-delete", service: of })),
  time.map((StatusUpdatedAt) => fixed({ kind: "node", node: aNode({ StatusUpdatedAt }) })),
  {
    weight: 2,
    arbitrary: fc
      .tuple(name, fc.string())
      .map(([Path, Data]) => fixed({ kind: "variable", variable: { Namespace: "default", Path, KeyID: "k", Data } })),
  },
  name.map((path) => fixed({ kind: "variable-delete", namespace: "default", path })),
  fc.tuple(name, task, handle).map(([allocId, of, value]) => fixed({ kind: "task-handle", allocId, task: of, handle: value })),
  fc.tuple(name, task).map(([allocId, of]) => fixed({ kind: "task-handle", allocId, task: of, handle: null })),
);
