import fc from "fast-check";
import { InvalidField } from "./invalid-field.js";
import { jobFromApi } from "./job-intake.js";
import { HOUR, SECOND } from "./units.js";

type Members = Record<string, unknown>;

const aTask = (change: Members = {}): Members => ({ Name: "t", Driver: "raw_exec", ...change });
const ofTask = (change: Members, group: Members = {}, job: Members = {}): Members => ofGroup({ Tasks: [aTask(change)], ...group }, job);
const ofGroup = (change: Members, job: Members = {}): Members => ({
  ID: "web",
  TaskGroups: [{ Name: "g", Tasks: [aTask()], ...change }],
  ...job,
});
const refusal = (input: unknown): string => {
  try {
    jobFromApi(input);
  } catch (error) {
    if (error instanceof InvalidField) return error.message;
    throw error;
  }
  return "accepted";
};

describe("refusals name the field, what was given and what is accepted", () => {
  const port = (change: Members): Members => ofGroup({ Networks: [{ DynamicPorts: [{ Label: "a" }], ...change }] });
  test.each<[Members | unknown, string]>([
    [null, "Job: got null, want an object"],
    [[], "Job: got [], want an object"],
    [{}, "Job.ID: got nothing, want a string that is not empty"],
    [ofGroup({}, { ID: 5 }), "Job.ID: got 5, want a string"],
    [ofGroup({}, { ID: "a b" }), 'Job.ID: got "a b", want an id without white space'],
    [ofGroup({}, { ID: "a\0" }), 'Job.ID: got "a\\u0000", want a string without NUL'],
    [ofGroup({}, { Namespace: "a/b" }), 'Job.Namespace: got "a/b", want at most 128 letters, digits and hyphens'],
    [ofGroup({}, { Type: "cron" }), 'Job.Type: got "cron", want one of service, batch, system, sysbatch'],
    [ofGroup({}, { Priority: 0 }), "Job.Priority: got 0, want a whole number from 1 to 100"],
    [ofGroup({}, { Priority: 101 }), "Job.Priority: got 101, want a whole number from 1 to 100"],
    [ofGroup({}, { Priority: 1.5 }), "Job.Priority: got 1.5, want a whole number from 1 to 100"],
    [ofGroup({}, { Datacenters: "dc1" }), 'Job.Datacenters: got "dc1", want a list'],
    [ofGroup({}, { Datacenters: [1] }), "Job.Datacenters[0]: got 1, want a string"],
    [ofGroup({}, { Meta: { a: 1 } }), 'Job.Meta["a"]: got 1, want a string'],
    [ofGroup({}, { Constraints: "x" }), 'Job.Constraints: got "x", want a list'],
    [ofGroup({}, { Constraints: [1] }), "Job.Constraints[0]: got 1, want an object"],
    [ofGroup({}, { AllAtOnce: "yes" }), 'Job.AllAtOnce: got "yes", want true or false'],
    [{ ID: "web" }, "Job.TaskGroups: got nothing, want at least one group"],
    [{ ID: "web", TaskGroups: [] }, "Job.TaskGroups: got [], want at least one group"],
    [{ ID: "web", TaskGroups: {} }, "Job.TaskGroups: got {}, want a list"],
    [{ ID: "web", TaskGroups: [null] }, "Job.TaskGroups[0]: got null, want an object"],
    [{ ID: "web", TaskGroups: [1] }, "Job.TaskGroups[0]: got 1, want an object"],
    [ofGroup({ Name: "" }), 'Job.TaskGroups[0].Name: got "", want a string that is not empty'],
    [ofGroup({ Count: -1 }), "Job.TaskGroups[0].Count: got -1, want a whole number from 0 to 100000"],
    [ofGroup({ Count: 12345678901234567890n }), "Job.TaskGroups[0].Count: got 12345678901234567890, want a whole number from 0 to 100000"],
    [ofGroup({ Tasks: [] }), "Job.TaskGroups[0].Tasks: got [], want at least one task"],
    [ofGroup({ Tasks: [aTask(), aTask()] }), 'Job.TaskGroups[0].Tasks[1].Name: got "t", want a name that no other has'],
    [
      {
        ID: "web",
        TaskGroups: [
          { Name: "g", Tasks: [aTask()] },
          { Name: "g", Tasks: [aTask()] },
        ],
      },
      'Job.TaskGroups[1].Name: got "g", want a name that no other has',
    ],
    [ofGroup({ ShutdownDelay: -1 }), "Job.TaskGroups[0].ShutdownDelay: got -1, want a duration, in whole nanoseconds of 0 or more"],
    [ofTask({ Name: undefined }), "Job.TaskGroups[0].Tasks[0].Name: got nothing, want a string that is not empty"],
    [ofTask({ Driver: undefined }), "Job.TaskGroups[0].Tasks[0].Driver: got nothing, want a string that is not empty"],
    [
      ofGroup({ Tasks: [aTask(), aTask({ Name: "u", Resources: { CPU: "x" } })] }),
      'Job.TaskGroups[0].Tasks[1].Resources.CPU: got "x", want a whole number of 0 or more',
    ],
    [
      ofTask({ Resources: { MemoryMB: 100, MemoryMaxMB: 50 } }),
      "Job.TaskGroups[0].Tasks[0].Resources.MemoryMaxMB: got 50, want MemoryMB (100) or more, 0 for none or -1 for no limit",
    ],
    [ofTask({ Env: { A: true } }), 'Job.TaskGroups[0].Tasks[0].Env["A"]: got true, want a string'],
    [ofTask({ Env: { A: null } }), 'Job.TaskGroups[0].Tasks[0].Env["A"]: got null, want a string'],
    [ofTask({ Config: [] }), "Job.TaskGroups[0].Tasks[0].Config: got [], want an object"],
    [ofTask({ Templates: 5 }), "Job.TaskGroups[0].Tasks[0].Templates: got 5, want a list"],
    [ofTask({ Artifacts: [5] }), "Job.TaskGroups[0].Tasks[0].Artifacts[0]: got 5, want an object"],
    [ofTask({ KillSignal: "SIGNOPE" }), 'Job.TaskGroups[0].Tasks[0].KillSignal: got "SIGNOPE", want the name of a signal, such as SIGTERM'],
    [ofTask({ KillTimeout: "5s" }), 'Job.TaskGroups[0].Tasks[0].KillTimeout: got "5s", want a duration, in whole nanoseconds of 0 or more'],
    [ofTask({ KillTimeout: 1.5 }), "Job.TaskGroups[0].Tasks[0].KillTimeout: got 1.5, want a duration, in whole nanoseconds of 0 or more"],
    [
      ofTask({ KillTimeout: 10n ** 40n }),
      `Job.TaskGroups[0].Tasks[0].KillTimeout: got ${10n ** 40n}, want a duration, in whole nanoseconds of 0 or more`,
    ],
    [ofTask({ Lifecycle: {} }), "Job.TaskGroups[0].Tasks[0].Lifecycle.Hook: got nothing, want one of prestart, poststart, poststop"],
    [
      ofTask({ Lifecycle: { Hook: "before" } }),
      'Job.TaskGroups[0].Tasks[0].Lifecycle.Hook: got "before", want one of prestart, poststart, poststop',
    ],
    [ofTask({ LogConfig: { MaxFiles: 0 } }), "Job.TaskGroups[0].Tasks[0].LogConfig.MaxFiles: got 0, want a whole number of 1 or more"],
    [
      ofTask({ LogConfig: { MaxFiles: 2, MaxFileSizeMB: 5 } }, { EphemeralDisk: { SizeMB: 10 } }),
      'Job.TaskGroups[0].Tasks[0].LogConfig: got "MaxFiles 2 of 5 MB", want less than EphemeralDisk.SizeMB, 10',
    ],
    [
      ofGroup({ Tasks: [aTask({ Leader: true }), aTask({ Name: "u", Leader: true })] }),
      'Job.TaskGroups[0].Tasks: got "more than one Leader", want one leader at most',
    ],
    [ofGroup({ RestartPolicy: { Mode: "maybe" } }), 'Job.TaskGroups[0].RestartPolicy.Mode: got "maybe", want one of fail, delay'],
    [
      ofGroup({ RestartPolicy: { Attempts: 0, Mode: "delay" } }),
      'Job.TaskGroups[0].RestartPolicy.Attempts: got 0, want 1 or more when Mode is "delay"',
    ],
    [
      ofGroup({ RestartPolicy: { Attempts: 1, Interval: SECOND, Delay: 0 } }),
      "Job.TaskGroups[0].RestartPolicy.Interval: got 1000000000, want 5s (5000000000) or more",
    ],
    [
      ofGroup({ RestartPolicy: { Attempts: 5, Interval: 10 * SECOND, Delay: 3 * SECOND } }),
      "Job.TaskGroups[0].RestartPolicy.Interval: got 10000000000, want at least Attempts times Delay, 15000000000 ns",
    ],
    [
      ofGroup({ ReschedulePolicy: { Attempts: 3, Interval: HOUR } }),
      "Job.TaskGroups[0].ReschedulePolicy.Unlimited: got true, want false when Attempts is more than 0 (3)",
    ],
    [
      ofGroup({ ReschedulePolicy: { Attempts: 3, Unlimited: false } }),
      "Job.TaskGroups[0].ReschedulePolicy.Interval: got nothing, want more than 0 when Attempts is (3)",
    ],
    [
      ofGroup({ ReschedulePolicy: { Delay: SECOND } }),
      "Job.TaskGroups[0].ReschedulePolicy.Delay: got 1000000000, want 5s (5000000000) or more",
    ],
    [
      ofGroup({ ReschedulePolicy: { MaxDelay: 6 * SECOND } }),
      "Job.TaskGroups[0].ReschedulePolicy.MaxDelay: got 6000000000, want Delay (30000000000) or more",
    ],
    [
      ofGroup({ Update: { HealthyDeadline: 0 } }),
      "Job.TaskGroups[0].Update.MinHealthyTime: got nothing, want less than HealthyDeadline, 0 ns",
    ],
    [ofGroup({ Name: "constructor" }), 'Job.TaskGroups[0].Name: got "constructor", want a name that no object has by itself'],
    [ofGroup({ Name: "a b" }), 'Job.TaskGroups[0].Name: got "a b", want a name without white space'],
    [
      ofTask({ Resources: { CPU: 2n ** 53n } }),
      "Job.TaskGroups[0].Tasks[0].Resources.CPU: got 9007199254740992, want a whole number from 0 to 9007199254740991",
    ],
    [
      ofGroup({ ReschedulePolicy: { DelayFunction: "linear" } }),
      'Job.TaskGroups[0].ReschedulePolicy.DelayFunction: got "linear", want one of constant, exponential, fibonacci',
    ],
    [
      ofGroup({ Update: { HealthCheck: "none" } }),
      'Job.TaskGroups[0].Update.HealthCheck: got "none", want one of checks, task_states, manual',
    ],
    [ofGroup({}, { Update: { MaxParallel: "x" } }), 'Job.Update.MaxParallel: got "x", want a whole number of 0 or more'],
    [
      port({ ReservedPorts: [{ Label: "a", Value: 80 }] }),
      'Job.TaskGroups[0].Networks[0].DynamicPorts[0].Label: got "a", want a label that no other port has',
    ],
    [
      port({
        ReservedPorts: [
          { Label: "b", Value: 80 },
          { Label: "c", Value: 80 },
        ],
      }),
      "Job.TaskGroups[0].Networks[0].ReservedPorts[1].Value: got 80, want a port that no other label has",
    ],
    [
      port({ ReservedPorts: [{ Label: "b" }] }),
      "Job.TaskGroups[0].Networks[0].ReservedPorts[0].Value: got 0, want a whole number from 1 to 65535",
    ],
    [
      port({ ReservedPorts: [{ Label: "b", Value: 65_536 }] }),
      "Job.TaskGroups[0].Networks[0].ReservedPorts[0].Value: got 65536, want a whole number from 1 to 65535",
    ],
    [
      port({ DynamicPorts: [{ Label: "b", To: 70_000 }] }),
      "Job.TaskGroups[0].Networks[0].DynamicPorts[0].To: got 70000, want a whole number from -1 to 65535",
    ],
    [port({ DynamicPorts: [{}] }), "Job.TaskGroups[0].Networks[0].DynamicPorts[0].Label: got nothing, want a string that is not empty"],
    [
      ofTask({ Services: [{ Checks: [{ Type: "ping" }] }] }),
      'Job.TaskGroups[0].Tasks[0].Services[0].Checks[0].Type: got "ping", want one of http, tcp, script',
    ],
    [
      ofTask({ Services: [{ Checks: [{ Interval: 1 }] }] }),
      "Job.TaskGroups[0].Tasks[0].Services[0].Checks[0].Interval: got 1, want a duration of 1000000000 ns or more",
    ],
    [ofGroup({}, { Periodic: { Spec: "* * * * *" } }), 'Job.Type: got "service", want batch or sysbatch for a job with Periodic'],
    [ofGroup({}, { Type: "batch", Periodic: {} }), "Job.Periodic.Spec: got nothing, want a cron expression, here or in Specs"],
    [
      ofGroup({}, { Type: "batch", Periodic: { Spec: "* * * * *", Specs: ["* * * * *"] } }),
      'Job.Periodic.Specs: got ["* * * * *"], want either Spec or Specs',
    ],
    [
      ofGroup({}, { Type: "batch", Periodic: { Specs: ["* * * * *", "* * *"] } }),
      'Job.Periodic.Specs[1]: got "* * *", want a cron expression: got 3 fields, want 5 to 7',
    ],
    [
      ofGroup({}, { Type: "batch", Periodic: { Spec: "* * * * *", TimeZone: "Mars/Olympus" } }),
      'Job.Periodic.TimeZone: got "Mars/Olympus", want the name of a time zone, such as Europe/Berlin: time zone "Mars/Olympus" is not known',
    ],
    [ofGroup({}, { Type: "batch", Periodic: { Spec: "* * * * *", SpecType: "at" } }), 'Job.Periodic.SpecType: got "at", want one of cron'],
    [
      ofGroup({}, { Type: "system", ParameterizedJob: {} }),
      'Job.Type: got "system", want batch or sysbatch for a job with ParameterizedJob',
    ],
    [
      ofGroup({}, { Type: "batch", ParameterizedJob: { Payload: "maybe" } }),
      'Job.ParameterizedJob.Payload: got "maybe", want one of optional, required, forbidden',
    ],
    [
      ofGroup({}, { Type: "batch", ParameterizedJob: { MetaRequired: ["a"], MetaOptional: ["b", "a"] } }),
      'Job.ParameterizedJob.MetaOptional: got "a", want keys that are not in MetaRequired',
    ],
    ...["../x", "a/../b", "/", ".", "a/"].map((File): [Members, string] => [
      ofTask({ DispatchPayload: { File } }),
      `Job.TaskGroups[0].Tasks[0].DispatchPayload.File: got "${File}", want the path of a file below the task's local directory`,
    ]),
    [
      ofGroup({ Volumes: { v: { Type: "csi", Source: "x" } } }),
      'Job.TaskGroups[0].Volumes["v"].Type: got "csi", want host: this host has no CSI plugins',
    ],
    [ofGroup({ Volumes: { v: { Type: "host" } } }), 'Job.TaskGroups[0].Volumes["v"].Source: got nothing, want a string that is not empty'],
    [
      ofTask({ VolumeMounts: [{ Volume: "v", Destination: "/x" }] }),
      'Job.TaskGroups[0].Tasks[0].VolumeMounts[0].Volume: got "v", want no mount: the group has no volumes',
    ],
    [
      ofTask({ VolumeMounts: [{ Volume: "v", Destination: "a/../../b" }] }, { Volumes: { v: { Type: "host", Source: "x" } } }),
      'Job.TaskGroups[0].Tasks[0].VolumeMounts[0].Destination: got "a/../../b", want a path without ..',
    ],
    [
      ofTask({ Services: [{ Name: "a_b" }] }),
      'Job.TaskGroups[0].Tasks[0].Services[0].Name: got "a_b", want at most 63 letters, digits and hyphens, with no hyphen at either end',
    ],
    [
      ofGroup({ Services: [{ AddressMode: "driver" }] }),
      'Job.TaskGroups[0].Services[0].AddressMode: got "driver", want one of auto, host, alloc: a group has no driver',
    ],
    [
      ofTask({ Services: [{ Address: "10.0.0.1", AddressMode: "host" }] }),
      'Job.TaskGroups[0].Tasks[0].Services[0].AddressMode: got "host", want auto: the service has an "Address" of its own',
    ],
    [
      ofTask({ Services: [{ PortLabel: "htp" }] }),
      'Job.TaskGroups[0].Tasks[0].Services[0].PortLabel: got "htp", want a port\'s number: there are no labels',
    ],
    [
      ofTask({ Services: [{ PortLabel: "htp" }] }, { Networks: [{ DynamicPorts: [{ Label: "http" }] }] }),
      'Job.TaskGroups[0].Tasks[0].Services[0].PortLabel: got "htp", want a port\'s number or its label: http',
    ],
    [ofGroup({ Services: [{ TaskName: "u" }] }), 'Job.TaskGroups[0].Services[0].TaskName: got "u", want a task of the group: t'],
    [
      ofTask({ Services: [{ Checks: [{ Type: "tcp" }] }] }),
      "Job.TaskGroups[0].Tasks[0].Services[0].Checks[0].PortLabel: got nothing, want a port: neither the check nor its service has one",
    ],
    [
      ofTask({ Services: [{ Checks: [{ Type: "script" }] }] }),
      "Job.TaskGroups[0].Tasks[0].Services[0].Checks[0].Command: got nothing, want a string that is not empty",
    ],
    [
      ofGroup({ Services: [{ Checks: [{ Type: "script", Command: "true" }] }] }),
      "Job.TaskGroups[0].Services[0].Checks[0].TaskName: got nothing, want the task that the script runs in",
    ],
    [
      ofTask({ Services: [{ PortLabel: "80", Checks: [{ Path: "/", Header: { X: ["a\r\nb"] } }] }] }),
      'Job.TaskGroups[0].Tasks[0].Services[0].Checks[0].Header.X[0]: got "a\\r\\nb", want a text of one line',
    ],
    [
      ofTask({ Services: [{ PortLabel: "80", Checks: [{ Path: "/", CheckRestart: { Limit: -1 } }] }] }),
      "Job.TaskGroups[0].Tasks[0].Services[0].Checks[0].CheckRestart.Limit: got -1, want a whole number of 0 or more",
    ],
  ])("%j", (input, message) => expect(refusal(input)).toBe(message));

  test.each(["a/b", ".", "..", "alloc", "__proto__", "constructor", "x".repeat(129), "ü".repeat(65)])(
    "a task named %j, which is no directory of its own, is refused",
    (Name) => {
      expect(refusal(ofTask({ Name }))).toMatch(/^Job\.TaskGroups\[0\]\.Tasks\[0\]\.Name: got .*, want a name/);
    },
  );

  test("what is nested without end is refused as any other value", () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = level % 2 ? [deep] : { a: deep };
    expect(refusal(ofGroup({ Count: deep }))).toMatch(/^Job\.TaskGroups\[0\]\.Count: got .{1,80}, want a whole number/);
  });

  test("a policy that tries nothing again needs no delay", () => {
    expect(refusal(ofGroup({ ReschedulePolicy: { Attempts: 0, Unlimited: false, Delay: 0, Interval: 0 } }))).toBe("accepted");
    expect(refusal(ofGroup({ RestartPolicy: { Attempts: 0, Interval: 0, Delay: HOUR } }))).toBe("accepted");
  });

  test("a disabled log needs no room", () => {
    expect(refusal(ofTask({ LogConfig: { Disabled: true } }, { EphemeralDisk: { SizeMB: 10 } }))).toBe("accepted");
    expect(refusal(ofTask({ LogConfig: { MaxFiles: 2, MaxFileSizeMB: 2 } }, { EphemeralDisk: { SizeMB: 10 } }))).toBe("accepted");
  });
});

test("whatever is given is a job or an InvalidField", () => {
  const name = fc.constantFrom(
    ..."ID Name Type TaskGroups taskgroups Tasks Count Driver Config Env Meta Resources CPU Networks DynamicPorts Label Value Services Checks RestartPolicy Update Attempts Interval Lifecycle Hook __proto__ constructor".split(
      " ",
    ),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "medium" },
      fc.constantFrom(null, true, 0, -1, 1, 1.5, "", "t", "g", "service", 2n ** 64n, Number.NaN),
      fc.array(tie("value"), { maxLength: 2 }),
      fc.dictionary(name, tie("value"), { maxKeys: 6 }),
    ),
  }));
  const nearly = fc.tuple(value, value, value).map(([a, b, c]) => ofTask(Object(a) as Members, Object(b) as Members, Object(c) as Members));
  fc.assert(
    fc.property(fc.oneof(value, nearly, fc.jsonValue()), (input) => {
      try {
        expect(jobFromApi(input).ID).not.toBe("");
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidField);
      }
    }),
    { numRuns: 2_000 },
  );
});
