import fc from "fast-check";
import type { Allocation } from "./allocation.js";
import { allocationFromApi } from "./allocation-intake.js";
import { encodeAllocation } from "./encode-allocation.js";
import { InvalidField } from "./invalid-field.js";
import { parseJson } from "./json.js";

type Members = Record<string, unknown>;

const ID = "56e9983c-28bd-46b1-65bb-78db4a04a9b9";

const aJob = (group: Members = {}): Members => ({
  ID: "web",
  Version: 3,
  SubmitTime: 1795447296727104856n,
  CreateIndex: 13,
  ModifyIndex: 15,
  JobModifyIndex: 14,
  TaskGroups: [
    {
      Name: "g",
      Tasks: [{ Name: "t", Driver: "raw_exec", Resources: { CPU: 20, MemoryMB: 30 } }],
      EphemeralDisk: { SizeMB: 320 },
      ...group,
    },
  ],
});

const anInput = (change: Members = {}): Members => ({ ID, Job: aJob(), TaskGroup: "g", AllocModifyIndex: 100, ...change });

const refusal = (input: unknown): string => {
  try {
    allocationFromApi(input);
  } catch (error) {
    if (error instanceof InvalidField) return error.message;
    throw error;
  }
  return "accepted";
};

/** What GET answers once the agent has taken it. */
function readBack(intake: ReturnType<typeof allocationFromApi>): string {
  const { ClientStatus, AllocModifyIndex: SourceIndex, ...desired } = intake;
  const alloc: Allocation = {
    ...desired,
    Ingested: true,
    SourceIndex,
    ClientStatus,
    ClientDescription: "",
    TaskStates: null,
    DeploymentStatus: null,
    NetworkStatus: null,
    CreateIndex: 1,
    ModifyIndex: 2,
    AllocModifyIndex: 2,
    CreateTime: 1n,
    ModifyTime: 2n,
  };
  return encodeAllocation(alloc);
}

describe("allocationFromApi", () => {
  test("fills in what is not given", () => {
    expect(allocationFromApi(anInput({ ID: ID.toUpperCase() }))).toMatchObject({
      ID,
      Namespace: "default",
      EvalID: "",
      Name: "web.g[0]",
      NodeID: "",
      JobID: "web",
      TaskGroup: "g",
      DesiredStatus: "run",
      DesiredTransition: { Migrate: null, Reschedule: null, ForceReschedule: null, NoShutdownDelay: null, MigrateDisablePlacement: null },
      PreviousAllocation: "",
      RescheduleTracker: null,
      Metrics: null,
      PreemptedAllocations: null,
      AllocModifyIndex: 100,
      ClientStatus: "pending",
    });
  });

  test("a job that names no namespace is in its allocation's", () => {
    const { Namespace, Job } = allocationFromApi(anInput({ Namespace: "prod" }));
    expect([Namespace, Job.Namespace]).toEqual(["prod", "prod"]);
  });

  test("keeps the stamps that the job's own registry gave it", () => {
    const { Job } = allocationFromApi(anInput());
    expect(Job).toMatchObject({ Version: 3, SubmitTime: 1795447296727104856n, CreateIndex: 13, ModifyIndex: 15, JobModifyIndex: 14 });
    expect(Job.TaskGroups[0]?.Tasks[0]?.KillTimeout).toBe(5e9);
  });

  test("an allocation that was read can be handed in again, and says the same", () => {
    const intake = allocationFromApi(
      anInput({
        RescheduleTracker: { Events: [{ RescheduleTime: 5, PrevAllocID: "p", PrevNodeID: "n", Delay: 5e9 }], LastReschedule: "ok" },
        Metrics: { NodesEvaluated: 1, NodesAvailable: { dc1: 1 }, AllocationTime: 5, ScoreMetaData: [{ NodeID: "n", NormScore: 0.5 }] },
        DesiredTransition: { NoShutdownDelay: true },
        PreemptedAllocations: [ID],
      }),
    );
    const again = allocationFromApi(parseJson(readBack(intake)));
    expect({ ...again, AllocModifyIndex: 100 }).toEqual(intake);
  });

  test("a delay may be a string of digits, as the documentation shows it", () => {
    const tracker = { Events: [{ RescheduleTime: 1517434161192946200n, Delay: "5000000000" }] };
    expect(allocationFromApi(anInput({ RescheduleTracker: tracker })).RescheduleTracker).toEqual({
      Events: [{ RescheduleTime: 1517434161192946200n, PrevAllocID: "", PrevNodeID: "", Delay: 5e9 }],
      LastReschedule: "",
    });
  });

  describe("resources", () => {
    const resources = (change: Members) => allocationFromApi(anInput(change)).AllocatedResources;
    const task = (CpuShares: number, MemoryMB: number, more: Members = {}): Members => ({
      Cpu: { CpuShares, ReservedCores: null },
      Memory: { MemoryMB, MemoryMaxMB: 0 },
      Networks: null,
      Devices: null,
      ...more,
    });

    test("are those that were given", () => {
      const AllocatedResources = {
        Tasks: { t: { ...task(5, 6), Cpu: { CpuShares: 5, ReservedCores: [0, 3] } } },
        TaskLifecycles: { t: null },
        Shared: { DiskMB: 7, Networks: null, Ports: [{ Label: "http", Value: 20_000, To: -1, HostIP: "10.0.0.1", IgnoreCollision: true }] },
      };
      expect(resources({ AllocatedResources })).toEqual(AllocatedResources);
    });

    test("come from TaskResources and SharedResources when there are no others, ports included", () => {
      const TaskResources = { t: { CPU: 50, MemoryMB: 60, MemoryMaxMB: 70 } };
      const network = { IP: "10.0.0.1", DynamicPorts: [{ Label: "http", Value: 20_000, HostNetwork: "public" }] };
      expect(resources({ TaskResources, SharedResources: { DiskMB: 80, Networks: [network] } })).toMatchObject({
        Tasks: { t: task(50, 60, { Memory: { MemoryMB: 60, MemoryMaxMB: 70 } }) },
        TaskLifecycles: { t: null },
        Shared: {
          DiskMB: 80,
          Networks: [{ IP: "10.0.0.1", DynamicPorts: [{ Label: "http", Value: 20_000, HostNetwork: "public" }] }],
          Ports: [{ Label: "http", Value: 20_000, To: 0, HostIP: "10.0.0.1" }],
        },
      });
    });

    test.each(["TaskResources", "AllocatedResources"])("of %s are for the task of exactly that name", (member) => {
      const own = { Resources: { CPU: 20, MemoryMB: 30 }, Driver: "raw_exec" };
      const Tasks = ["t", "T"].map((Name) => ({ ...own, Name }));
      const given = member === "TaskResources" ? { T: { CPU: 5, MemoryMB: 6 } } : { Tasks: { T: task(5, 6) } };
      expect(resources({ Job: aJob({ Tasks }), [member]: given }).Tasks).toEqual({ t: task(20, 30), T: task(5, 6) });
    });

    test("come from the job when nothing is said of them", () => {
      expect(resources({})).toEqual({
        Tasks: { t: task(20, 30) },
        TaskLifecycles: { t: null },
        Shared: { DiskMB: 320, Networks: null, Ports: null },
      });
    });

    test("without the ports that the group asks for they are refused", () => {
      const Job = aJob({ Networks: [{ DynamicPorts: [{ Label: "http" }] }] });
      expect(refusal(anInput({ Job }))).toBe('Allocation.AllocatedResources.Shared.Ports: got null, want a port of label "http"');
    });
  });

  test.each<[unknown, string]>([
    [null, "Allocation: got null, want an object"],
    [anInput({ ID: "x" }), 'Allocation.ID: got "x", want a UUID'],
    [anInput({ Job: null }), "Allocation.Job: got nothing, want the job that it is a part of"],
    [anInput({ Job: { ID: "web" } }), "Allocation.Job.TaskGroups: got nothing, want at least one group"],
    [anInput({ Job: { ...aJob(), Update: { Canary: -1 } } }), "Allocation.Job.Update.Canary: got -1, want a whole number of 0 or more"],
    [anInput({ JobID: "other" }), 'Allocation.JobID: got "other", want the ID of its Job, "web"'],
    [
      anInput({ Namespace: "other", Job: { ...aJob(), Namespace: "prod" } }),
      'Allocation.Namespace: got "other", want the Namespace of its Job, "prod"',
    ],
    [anInput({ TaskGroup: "x" }), 'Allocation.TaskGroup: got "x", want a group of its Job: g'],
    [anInput({ TaskGroup: null }), "Allocation.TaskGroup: got nothing, want a string that is not empty"],
    [anInput({ AllocModifyIndex: null }), "Allocation.AllocModifyIndex: got nothing, want a whole number of 0 or more"],
    [anInput({ AllocModifyIndex: -1 }), "Allocation.AllocModifyIndex: got -1, want a whole number of 0 or more"],
    [anInput({ DesiredStatus: "go" }), 'Allocation.DesiredStatus: got "go", want one of run, stop, evict'],
    [anInput({ DesiredTransition: { Migrate: 1 } }), "Allocation.DesiredTransition.Migrate: got 1, want true or false"],
    [anInput({ RescheduleTracker: { Events: "x" } }), 'Allocation.RescheduleTracker.Events: got "x", want a list'],
    [anInput({ RescheduleTracker: { Events: [null] } }), "Allocation.RescheduleTracker.Events[0]: got null, want an object"],
    [
      anInput({ RescheduleTracker: { Events: [{}] } }),
      "Allocation.RescheduleTracker.Events[0].RescheduleTime: got nothing, want a whole number of 0 or more",
    ],
    [anInput({ Metrics: { NodesEvaluated: "x" } }), 'Allocation.Metrics.NodesEvaluated: got "x", want a whole number of 0 or more'],
    [anInput({ Metrics: { Scores: { a: "x" } } }), 'Allocation.Metrics.Scores["a"]: got "x", want a number'],
    [
      anInput({ AllocatedResources: { Tasks: { t: { Cpu: { CpuShares: -1 } } } } }),
      "Allocation.AllocatedResources.Tasks.t.Cpu.CpuShares: got -1, want a whole number of 0 or more",
    ],
    [anInput({ PreemptedAllocations: [1] }), "Allocation.PreemptedAllocations[0]: got 1, want a string"],
  ])("%j is refused", (input, message) => expect(refusal(input)).toBe(message));

  test("whatever is given is an allocation or an InvalidField", () => {
    const member = fc.constantFrom(
      ..."RescheduleTracker Metrics AllocatedResources TaskResources SharedResources DesiredTransition Job TaskGroup PreemptedAllocations".split(
        " ",
      ),
    );
    const name = fc.constantFrom(
      ..."Events Tasks t Shared Ports Networks Cpu Memory RescheduleTime Delay Scores DynamicPorts Label Value".split(" "),
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: "medium" },
        fc.constantFrom(null, true, -1, 1, 1.5, "", "t", "g", 2n ** 64n),
        fc.array(tie("value"), { maxLength: 2 }),
        fc.dictionary(name, tie("value"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(member, value, { maxKeys: 4 }), (change) => {
        try {
          expect(JSON.parse(readBack(allocationFromApi(anInput(change)))).ID).toBe(ID);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidField);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
