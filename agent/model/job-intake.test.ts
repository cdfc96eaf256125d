import { jobFromApi } from "./job-intake.js";
import { encodeJson, parseJson } from "./json.js";
import { HOUR, MINUTE, SECOND } from "./units.js";

type Members = Record<string, unknown>;

const aTask = (change: Members = {}): Members => ({ Name: "t", Driver: "raw_exec", ...change });
const ofTask = (change: Members, group: Members = {}, job: Members = {}): Members => ofGroup({ Tasks: [aTask(change)], ...group }, job);
const ofGroup = (change: Members, job: Members = {}): Members => ({
  ID: "web",
  TaskGroups: [{ Name: "g", Tasks: [aTask()], ...change }],
  ...job,
});
const group = (input: Members) => jobFromApi(input).TaskGroups[0];
const task = (input: Members) => group(input)?.Tasks[0];
describe("the defaults of a job", () => {
  test("a service with nothing but its names", () => {
    const policy = { Attempts: 2, Delay: 15 * SECOND, Interval: 30 * MINUTE, Mode: "fail", RenderTemplates: false };
    expect(jobFromApi(ofGroup({}))).toEqual({
      Affinities: null,
      AllAtOnce: false,
      Constraints: null,
      ConsulNamespace: "",
      CreateIndex: 0,
      Datacenters: ["*"],
      DispatchIdempotencyToken: "",
      Dispatched: false,
      ID: "web",
      JobModifyIndex: 0,
      Meta: null,
      ModifyIndex: 0,
      Multiregion: null,
      Name: "web",
      Namespace: "default",
      NodePool: "default",
      NomadTokenID: "",
      ParameterizedJob: null,
      ParentID: "",
      Payload: null,
      Periodic: null,
      Priority: 50,
      Region: "global",
      Spreads: null,
      Stable: false,
      Status: "pending",
      StatusDescription: "",
      Stop: false,
      SubmitTime: 0n,
      Type: "service",
      UI: null,
      Update: {
        AutoPromote: false,
        AutoRevert: false,
        Canary: 0,
        HealthCheck: "",
        HealthyDeadline: 0,
        MaxParallel: 1,
        MinHealthyTime: 0,
        ProgressDeadline: 0,
        Stagger: 30 * SECOND,
      },
      VaultNamespace: "",
      Version: 0,
      VersionTag: null,
      TaskGroups: [
        {
          Affinities: null,
          Constraints: null,
          Consul: null,
          Count: 1,
          Disconnect: null,
          EphemeralDisk: { Migrate: false, SizeMB: 300, Sticky: false },
          MaxClientDisconnect: null,
          MaxRunDuration: null,
          Meta: null,
          Migrate: { HealthCheck: "checks", HealthyDeadline: 5 * MINUTE, MaxParallel: 1, MinHealthyTime: 10 * SECOND },
          Name: "g",
          Networks: null,
          PreventRescheduleOnLost: false,
          ReschedulePolicy: { Attempts: 0, Delay: 30 * SECOND, DelayFunction: "exponential", Interval: 0, MaxDelay: HOUR, Unlimited: true },
          RestartPolicy: policy,
          Scaling: null,
          Services: null,
          ShutdownDelay: null,
          Spreads: null,
          StopAfterClientDisconnect: null,
          Update: {
            AutoPromote: false,
            AutoRevert: false,
            Canary: 0,
            HealthCheck: "checks",
            HealthyDeadline: 5 * MINUTE,
            MaxParallel: 1,
            MinHealthyTime: 10 * SECOND,
            ProgressDeadline: 10 * MINUTE,
            Stagger: 30 * SECOND,
          },
          Volumes: null,
          Tasks: [
            {
              Actions: null,
              Affinities: null,
              Artifacts: null,
              CSIPluginConfig: null,
              Config: null,
              Constraints: null,
              Consul: null,
              DispatchPayload: null,
              Driver: "raw_exec",
              Env: null,
              Identities: null,
              Identity: {
                Audience: ["nomadproject.io"],
                ChangeMode: "",
                ChangeSignal: "",
                Env: false,
                ExtraClaims: null,
                File: false,
                Filepath: "",
                Name: "default",
                ServiceName: "",
                TTL: 0,
              },
              KillSignal: "",
              KillTimeout: 5 * SECOND,
              Kind: "",
              Leader: false,
              Lifecycle: null,
              LogConfig: { Disabled: false, MaxFileSizeMB: 10, MaxFiles: 10 },
              Meta: null,
              Name: "t",
              Resources: {
                CPU: 100,
                Cores: 0,
                Devices: null,
                DiskMB: 0,
                IOPS: 0,
                MemoryMB: 300,
                MemoryMaxMB: 0,
                NUMA: null,
                Networks: null,
                SecretsMB: 0,
              },
              RestartPolicy: policy,
              ScalingPolicies: null,
              Schedule: null,
              Secrets: null,
              Services: null,
              ShutdownDelay: 0,
              Templates: null,
              User: "",
              Vault: null,
              VolumeMounts: null,
            },
          ],
        },
      ],
    });
  });

  test.each([
    ["service", 2, 30 * MINUTE, { Attempts: 0, Unlimited: true }, true, true],
    [
      "batch",
      3,
      24 * HOUR,
      { Attempts: 1, Interval: 24 * HOUR, Delay: 5 * SECOND, DelayFunction: "constant", Unlimited: false },
      false,
      false,
    ],
    ["system", 2, 30 * MINUTE, null, true, false],
    ["sysbatch", 3, 24 * HOUR, null, false, false],
  ])("policies of a %s job", (Type, Attempts, Interval, reschedule, updates, migrates) => {
    const given = group(ofGroup({}, { Type }));
    expect(given?.RestartPolicy).toMatchObject({ Attempts, Interval, Delay: 15 * SECOND, Mode: "fail" });
    if (reschedule === null) expect(given?.ReschedulePolicy).toBeNull();
    else expect(given?.ReschedulePolicy).toMatchObject(reschedule);
    expect(given?.Update !== null).toBe(updates);
    expect(given?.Migrate !== null).toBe(migrates);
  });

  test("null is the same as absent, at every level", () => {
    const nulls = (names: string): Members => Object.fromEntries(names.split(" ").map((name) => [name, null]));
    const input = ofGroup(
      {
        ...nulls("Count Meta RestartPolicy ReschedulePolicy EphemeralDisk Networks Services Update Migrate ShutdownDelay Constraints"),
        Tasks: [
          aTask(nulls("User Config Env Meta Services Resources RestartPolicy LogConfig Lifecycle Leader KillTimeout KillSignal Identity")),
        ],
      },
      nulls("Name Namespace Region Type Priority Datacenters NodePool Meta Update ParentID Constraints AllAtOnce"),
    );
    expect(jobFromApi(input)).toEqual(jobFromApi(ofGroup({})));
  });

  test("an empty map of strings and an empty config are none", () => {
    expect(task(ofTask({ Env: {}, Meta: {}, Config: {} }))).toMatchObject({ Env: null, Meta: null, Config: null });
  });

  test("a task inherits what its restart policy does not say from its group", () => {
    const RestartPolicy = { Attempts: 5, Interval: HOUR, Delay: SECOND, Mode: "delay" };
    expect(task(ofTask({}, { RestartPolicy }))?.RestartPolicy).toMatchObject(RestartPolicy);
    expect(task(ofTask({ RestartPolicy: { Attempts: 1 } }, { RestartPolicy }))?.RestartPolicy).toMatchObject({
      ...RestartPolicy,
      Attempts: 1,
    });
  });

  test("a group inherits what its update, reschedule and migrate blocks do not say from its job", () => {
    const job = {
      Update: { MaxParallel: 3, Canary: 1, Stagger: SECOND },
      Reschedule: { Attempts: 2, Interval: HOUR, Unlimited: false },
      Migrate: { MaxParallel: 4 },
    };
    expect(group(ofGroup({}, job))).toMatchObject({
      Update: { MaxParallel: 3, Canary: 1, HealthCheck: "checks" },
      ReschedulePolicy: { Attempts: 2, Interval: HOUR, Unlimited: false, DelayFunction: "exponential" },
      Migrate: { MaxParallel: 4, HealthCheck: "checks" },
    });
    const own = { Update: { Canary: 0 }, ReschedulePolicy: { Attempts: 1 }, Migrate: { HealthCheck: "task_states" } };
    expect(group(ofGroup(own, job))).toMatchObject({
      Update: { MaxParallel: 3, Canary: 0 },
      ReschedulePolicy: { Attempts: 1, Interval: HOUR },
      Migrate: { MaxParallel: 4, HealthCheck: "task_states" },
    });
    expect(jobFromApi(ofGroup({}, job)).Update).toMatchObject({ MaxParallel: 3, Stagger: SECOND, Canary: 0, HealthCheck: "" });
  });

  test("a group that is added to a job that was read has the default times, not the zeros of the job's block", () => {
    const { Update, ...job } = jobFromApi({
      ID: "web",
      Update: { MaxParallel: 3 },
      TaskGroups: [{ Name: "g", Tasks: [{ Name: "t", Driver: "d" }] }],
    });
    const again = jobFromApi({ ...job, Update, TaskGroups: [...job.TaskGroups, { Name: "h", Tasks: [{ Name: "t", Driver: "d" }] }] });
    expect(again.TaskGroups[1]?.Update).toEqual(job.TaskGroups[0]?.Update);
    expect(again.TaskGroups[1]?.Update).toMatchObject({ MaxParallel: 3, HealthyDeadline: 5 * MINUTE, MinHealthyTime: 10_000_000_000 });
  });

  test("a reschedule policy that allows nothing stays one", () => {
    const none = { Attempts: 0, Unlimited: false, Interval: 0 };
    expect(group(ofGroup({ ReschedulePolicy: none }))?.ReschedulePolicy).toMatchObject(none);
  });

  test("reserved cores take the place of the default CPU", () => {
    expect(task(ofTask({ Resources: { Cores: 2 } }))?.Resources).toMatchObject({ CPU: 0, Cores: 2, MemoryMB: 300 });
  });

  test("an identity is filled in, not replaced", () => {
    expect(task(ofTask({ Identity: { Env: true } }))).toMatchObject({
      Identity: { Env: true, Name: "default", Audience: ["nomadproject.io"] },
    });
  });

  test("services and their checks", () => {
    const Services = [{ Provider: "nomad", PortLabel: "http", Checks: [{ Type: "tcp", Interval: 10 * SECOND, Timeout: 2 * SECOND }] }];
    const Networks = [{ DynamicPorts: [{ Label: "http" }] }];
    const [own] = task(ofTask({ Services }, { Networks }, { Namespace: "prod" }))?.Services ?? [];
    expect(own).toMatchObject({
      Name: "web-g-t",
      Namespace: "prod",
      AddressMode: "auto",
      Cluster: "default",
      OnUpdate: "require_healthy",
      TaskName: "t",
      Tags: null,
    });
    expect(own?.Checks).toMatchObject([
      { Name: 'service: "web-g-t" check', TaskName: "t", OnUpdate: "require_healthy", Method: "", Header: null },
    ]);
    expect(group(ofGroup({ Services, Networks }))?.Services?.[0]).toMatchObject({ Name: "web-g", TaskName: "" });
  });
});

describe("the names of members", () => {
  test("are known in any case, at every level, and come out as Nomad writes them", () => {
    const lower = {
      id: "web",
      type: "batch",
      constraints: [{ LTarget: "x" }],
      allatonce: true,
      taskgroups: [
        {
          name: "g",
          count: 2,
          spreads: [{ attribute: "${node.datacenter}" }],
          tasks: [{ name: "t", driver: "raw_exec", killtimeout: SECOND, vault: { Role: "r" }, resources: { cpu: 7, iops: 3 } }],
        },
      ],
    };
    const job = jobFromApi(lower);
    expect(job).toMatchObject({ ID: "web", Type: "batch", Constraints: [{ LTarget: "x" }], AllAtOnce: true });
    expect(job.TaskGroups).toMatchObject([
      {
        Count: 2,
        Spreads: [{ Attribute: "${node.datacenter}" }],
        Tasks: [{ KillTimeout: SECOND, Vault: { Role: "r" }, Resources: { CPU: 7, IOPS: 3 } }],
      },
    ]);
    expect(Object.keys(job).filter((name) => name !== name.charAt(0).toUpperCase() + name.slice(1))).toEqual([]);
  });

  test("an exact name goes before one in another case", () => {
    expect(jobFromApi({ id: "no", ...ofGroup({}), ID: "yes", iD: "no" }).ID).toBe("yes");
  });

  test("unknown members are given back digit for digit", () => {
    const text =
      '{"ID":"web","Mine":{"n":1795447296731073867,"x":[1,null]},"TaskGroups":[{"Name":"g","Mine":9007199254740993,"Tasks":[{"Name":"t","Driver":"d","Config":{"a":[18446744073709551615]},"Mine":null}]}]}';
    const job = parseJson(encodeJson(jobFromApi(parseJson(text))));
    expect(job).toMatchObject({
      Mine: { n: 1795447296731073867n, x: [1, null] },
      TaskGroups: [{ Mine: 9007199254740993n, Tasks: [{ Config: { a: [18446744073709551615n] }, Mine: null }] }],
    });
  });

  test("__proto__ changes no prototype", () => {
    const job = jobFromApi(
      parseJson(
        '{"ID":"web","__proto__":{"Type":"batch"},"TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"d","Config":{"__proto__":{"x":1}}}]}]}',
      ),
    );
    expect(job.Type).toBe("service");
    expect(Object.getPrototypeOf(job)).toBe(Object.prototype);
  });

  test("a job that was read can be registered again", () => {
    for (const Type of ["service", "batch", "system", "sysbatch"]) {
      const job = jobFromApi(ofGroup({ Networks: [{ DynamicPorts: [{ Label: "http" }] }], Services: [{ Name: "s" }] }, { Type }));
      expect(jobFromApi(parseJson(encodeJson(job)))).toEqual(job);
    }
  });
});
