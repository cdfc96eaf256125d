import fc from "fast-check";
import type { Allocation } from "./allocation.js";
import { encodeAllocation, encodeAllocationStub } from "./encode-allocation.js";
import { encodeTaskEvent } from "./encode-task-state.js";
import { jobFromApi } from "./job-intake.js";
import { parseJson } from "./json.js";
import { blankTaskEvent, type TaskEvent } from "./task-state.js";

const TIME = 1795447296731073867n;

const anEvent = (change: Partial<TaskEvent> = {}): TaskEvent => ({
  Type: "Started",
  Time: TIME,
  ...blankTaskEvent,
  DisplayMessage: "Task started by client",
  ...change,
});

const job = jobFromApi({
  ID: "web",
  TaskGroups: [
    {
      Name: "g",
      EphemeralDisk: { SizeMB: 320 },
      Tasks: [
        { Name: "t", Driver: "raw_exec", Resources: { CPU: 20, MemoryMB: 20 } },
        { Name: "u", Driver: "raw_exec", Resources: { CPU: 30, MemoryMB: 25 } },
      ],
    },
  ],
});

const given = (CpuShares: number, MemoryMB: number, MemoryMaxMB = 0) => ({
  Cpu: { CpuShares, ReservedCores: null },
  Memory: { MemoryMB, MemoryMaxMB },
  Networks: null,
  Devices: null,
});

const anAlloc = (change: Partial<Allocation> = {}): Allocation => ({
  ID: "56e9983c-28bd-46b1-65bb-78db4a04a9b9",
  Namespace: "default",
  EvalID: "e",
  Name: "web.g[0]",
  NodeID: "n",
  NodeName: "host",
  JobID: "web",
  Job: job,
  TaskGroup: "g",
  AllocatedResources: {
    Tasks: { t: given(20, 20), u: given(30, 25, 40) },
    TaskLifecycles: { t: null, u: null },
    Shared: { DiskMB: 320, Networks: null, Ports: null },
  },
  Metrics: null,
  DesiredStatus: "run",
  DesiredDescription: "",
  DesiredTransition: { Migrate: null, Reschedule: null, ForceReschedule: null, NoShutdownDelay: null, MigrateDisablePlacement: null },
  PreviousAllocation: "",
  NextAllocation: "",
  DeploymentID: "",
  RescheduleTracker: null,
  FollowupEvalID: "",
  PreemptedAllocations: null,
  PreemptedByAllocation: "",
  Ingested: true,
  SourceIndex: 77,
  ClientStatus: "running",
  ClientDescription: "Tasks are running",
  TaskStates: {
    t: { State: "running", Failed: false, Restarts: 2, LastRestart: TIME, StartedAt: TIME, FinishedAt: null, Events: [anEvent()] },
  },
  DeploymentStatus: { Healthy: true, Timestamp: TIME, Canary: false, ModifyIndex: 17 },
  NetworkStatus: null,
  CreateIndex: 14,
  ModifyIndex: 28,
  AllocModifyIndex: 15,
  CreateTime: TIME,
  ModifyTime: TIME + 1n,
  ...change,
});

const STUB =
  "ClientDescription ClientStatus CreateIndex CreateTime DeploymentStatus DesiredDescription DesiredStatus DesiredTransition EvalID FollowupEvalID ID JobID JobType JobVersion ModifyIndex ModifyTime Name Namespace NextAllocation NodeID NodeName PreemptedAllocations PreemptedByAllocation RescheduleTracker TaskGroup TaskStates";
const WHOLE =
  "AllocModifyIndex AllocatedResources DeploymentID Job Metrics NetworkStatus PreviousAllocation Resources SharedResources SigningKeyID TaskResources";

const stub = (alloc: Allocation, options = { resources: false, taskStates: true }) => JSON.parse(encodeAllocationStub(alloc, options));
const whole = (alloc: Allocation) => JSON.parse(encodeAllocation(alloc));

describe("a stub", () => {
  test("has the members of the documentation, and none of ours", () => {
    expect(Object.keys(stub(anAlloc())).sort()).toEqual(STUB.split(" "));
    expect(stub(anAlloc())).toMatchObject({
      JobType: "service",
      JobVersion: 0,
      TaskGroup: "g",
      PreemptedAllocations: null,
      DesiredDescription: "",
    });
  });

  test("has resources and task states as they are asked for, of the same object too", () => {
    const alloc = anAlloc();
    expect(stub(alloc, { resources: true, taskStates: false })).toMatchObject({
      TaskStates: null,
      AllocatedResources: { Shared: { DiskMB: 320 } },
    });
    expect(stub(alloc, { resources: false, taskStates: false })).not.toHaveProperty("AllocatedResources");
    expect(stub(alloc).TaskStates.t.State).toBe("running");
  });

  test("has its times digit for digit, or null", () => {
    const text = encodeAllocationStub(anAlloc(), { resources: false, taskStates: true });
    expect(parseJson(text)).toMatchObject({
      CreateTime: TIME,
      ModifyTime: TIME + 1n,
      DeploymentStatus: { Canary: false, Healthy: true, ModifyIndex: 17, Timestamp: "2026-11-23T15:21:36.731073867Z" },
      TaskStates: {
        t: {
          Failed: false,
          FinishedAt: null,
          LastRestart: "2026-11-23T15:21:36.731073867Z",
          Paused: "",
          Restarts: 2,
          StartedAt: "2026-11-23T15:21:36.731073867Z",
          State: "running",
          TaskHandle: null,
          Events: [anEvent()],
        },
      },
    });
  });

  test("of a changed allocation shows the change", () => {
    const alloc = anAlloc();
    expect(stub(alloc).ClientStatus).toBe("running");
    expect(stub({ ...alloc, ClientStatus: "failed", TaskStates: null })).toMatchObject({ ClientStatus: "failed", TaskStates: null });
  });

  test("survives names that JSON has to escape", () => {
    const name = '"\\\u2028__proto__\n';
    const states = { ...anAlloc().TaskStates, [name]: anAlloc().TaskStates?.t } as NonNullable<Allocation["TaskStates"]>;
    const read = stub(anAlloc({ Name: name, ClientDescription: name, TaskStates: states }));
    expect([read.Name, read.ClientDescription, Object.keys(read.TaskStates)]).toEqual([name, name, ["t", name]]);
  });
});

describe("a whole allocation", () => {
  test("has the members of the documentation and of the reference, and none of ours", () => {
    expect(Object.keys(whole(anAlloc())).sort()).toEqual([...STUB.split(" "), ...WHOLE.split(" ")].sort());
    expect(whole(anAlloc())).toMatchObject({ PreviousAllocation: "", AllocModifyIndex: 15, Job: { ID: "web", Type: "service" } });
  });

  test("has the deprecated resources, from those that it was given", () => {
    const { Resources, SharedResources, TaskResources } = whole(anAlloc());
    expect(Resources).toMatchObject({
      CPU: 50,
      MemoryMB: 45,
      MemoryMaxMB: 60,
      DiskMB: 320,
      Cores: 0,
      Devices: null,
      IOPS: 0,
      NUMA: null,
      SecretsMB: 0,
    });
    expect(SharedResources).toMatchObject({ CPU: 0, MemoryMB: 0, DiskMB: 320, Networks: null });
    expect(TaskResources).toMatchObject({ t: { CPU: 20, MemoryMB: 20, DiskMB: 0 }, u: { CPU: 30, MemoryMB: 25, MemoryMaxMB: 40 } });
  });

  test("has deprecated resources that depend on nothing but those that it was given", () => {
    const alloc = anAlloc();
    const Tasks = { t: { ...alloc.AllocatedResources.Tasks.t, Cpu: { CpuShares: 0, ReservedCores: [0, 3] } } };
    const AllocatedResources = { ...alloc.AllocatedResources, Tasks } as Allocation["AllocatedResources"];
    const changed = { ...alloc, AllocatedResources, Job: { ...alloc.Job, TaskGroups: [] } };
    for (const each of [{ ...alloc, AllocatedResources }, changed]) {
      expect(whole(each)).toMatchObject({ Resources: { CPU: 0, Cores: 2 }, TaskResources: { t: { CPU: 0, Cores: 2, DiskMB: 0 } } });
    }
  });

  test("has a reschedule's delay as a number", () => {
    const event = { RescheduleTime: TIME, PrevAllocID: "p", PrevNodeID: "n", Delay: 5_000_000_000 };
    const text = encodeAllocation(anAlloc({ RescheduleTracker: { Events: [event], LastReschedule: "ok" } }));
    expect(parseJson(text)).toMatchObject({ RescheduleTracker: { Events: [event], LastReschedule: "ok" } });
  });
});

test("an event has all its members, whatever is in them", () => {
  const text = fc.string({ unit: "binary" });
  const whole = fc.integer();
  const event = fc.record({
    Type: text,
    Time: fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n }),
    DisplayMessage: text,
    Details: fc.dictionary(text, text),
    Message: text,
    DriverError: text,
    DriverMessage: text,
    ExitCode: whole,
    Signal: whole,
    FailsTask: fc.boolean(),
    FailedSibling: text,
    GenericSource: text,
    DiskLimit: whole,
    DownloadError: text,
    KillError: text,
    KillReason: text,
    KillTimeout: whole,
    RestartReason: text,
    SetupError: text,
    StartDelay: whole,
    TaskSignal: text,
    TaskSignalReason: text,
    ValidationError: text,
    VaultError: text,
  });
  fc.assert(fc.property(event, (given) => expect(parseJson(encodeTaskEvent(given))).toEqual(given)));
});
