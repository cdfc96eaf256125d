import { aGroup, aJob, aNode, aTask } from "../jobs/testing/fixtures.js";
import { isSatisfied } from "./constraint.js";
import { computedClass, escapesClass, whyFiltered } from "./feasibility.js";
import { nodeLookup } from "./interpolate.js";
import type { Constraint, TaskGroup } from "./job.js";
import { jobFromApi } from "./job-intake.js";
import { scoreNode } from "./score.js";

const node = aNode({
  NodeClass: "big",
  Attributes: {
    "kernel.name": "linux",
    "cpu.numcores": "16",
    "os.version": "12.11",
    "driver.docker.version": "20.10.24+dfsg1",
    "unique.hostname": "vm",
    load: "2.5",
  },
  Meta: { rack: "r1", tags: "ssd, gpu,fast", empty: "" },
});
const constraint = (LTarget: string, Operand = "=", RTarget = ""): Constraint => ({ LTarget, Operand, RTarget });

test.each<[string, string, string, boolean]>([
  ["${attr.kernel.name}", "=", "linux", true],
  ["${attr.kernel.name}", "==", "windows", false],
  ["${attr.kernel.name}", "is", "linux", true],
  ["linux", "=", "${attr.kernel.name}", true],
  ["${attr.nope}", "=", "${attr.nope}", false],
  ["${attr.kernel.name}", "!=", "windows", true],
  ["${attr.kernel.name}", "not", "linux", false],
  ["${attr.nope}", "!=", "x", true],
  ["${attr.cpu.numcores}", "<", "9", false],
  ["${attr.cpu.numcores}", ">=", "9", true],
  ["${attr.load}", ">", "2.25", true],
  ["${meta.rack}", "<", "r2", true],
  ["${meta.rack}", "<=", "r1", true],
  ["${attr.nope}", "<", "5", false],
  ["${node.datacenter}", "=", "dc1", true],
  ["${node.class}", "regexp", "^b.g$", true],
  ["${node.class}", "regexp", "ig", true],
  ["${node.class}", "regexp", "(", false],
  ["${node.unique.name}", "=", "host", true],
  ["${node.pool}", "=", "default", true],
  ["${attr.os.version}", "version", ">= 12, < 13", true],
  ["${attr.driver.docker.version}", "version", ">= 20.10.24", true],
  ["${attr.driver.docker.version}", "semver", "> 20.10.25", false],
  ["${attr.kernel.name}", "version", ">= 1", false],
  ["${meta.tags}", "set_contains", "gpu,ssd", true],
  ["${meta.tags}", "set_contains_all", "gpu,hdd", false],
  ["${meta.tags}", "set_contains_any", "gpu,hdd", true],
  ["${meta.tags}", "set_contains_any", "hdd", false],
  ["${meta.empty}", "is_set", "", true],
  ["${meta.nope}", "is_set", "", false],
  ["${meta.nope}", "is_not_set", "", true],
])("%s %s %s: %p", (left, operand, right, want) => {
  expect(isSatisfied(constraint(left, operand, right), nodeLookup(node, "global"))).toBe(want);
});

const why = (group: Partial<TaskGroup>, peers: readonly string[] = [], job = {}): string | null =>
  whyFiltered(
    aJob(job),
    aGroup(group),
    node,
    peers.map((TaskGroup) => ({ TaskGroup })),
  );

test.each<[string, Partial<TaskGroup>, readonly string[], object, string | null]>([
  ["nothing", {}, ["g"], {}, null],
  ["the job's", {}, [], { Constraints: [constraint("${meta.rack}", "=", "r2")] }, "${meta.rack} = r2"],
  ["the group's", { Constraints: [constraint("${meta.rack}", "=", "r3")] }, [], {}, "${meta.rack} = r3"],
  ["a task's", { Tasks: [aTask({ Constraints: [constraint("${meta.rack}", "=", "r4")] })] }, [], {}, "${meta.rack} = r4"],
  ["a host for itself", { Constraints: [constraint("", "distinct_hosts")] }, [], {}, null],
  ["a host for itself that is taken", { Constraints: [constraint("", "distinct_hosts", "true")] }, ["g"], {}, "distinct_hosts"],
  ["a host for itself, of another group", { Constraints: [constraint("", "distinct_hosts")] }, ["h"], {}, null],
  ["a host for the job", {}, ["h"], { Constraints: [constraint("", "distinct_hosts")] }, "distinct_hosts"],
  ["no such wish", { Constraints: [constraint("", "distinct_hosts", "false")] }, ["g"], {}, null],
  ["two of a rack", { Constraints: [constraint("${meta.rack}", "distinct_property", "2")] }, ["g"], {}, null],
  [
    "three of a rack",
    { Constraints: [constraint("${meta.rack}", "distinct_property", "2")] },
    ["g", "g"],
    {},
    "distinct_property: ${meta.rack}=r1 used by 2 allocs",
  ],
  [
    "a property that is not there",
    { Constraints: [constraint("${meta.nope}", "distinct_property")] },
    [],
    {},
    'missing property "${meta.nope}"',
  ],
  ["a secret of a vault that is not there", { Tasks: [aTask({ Vault: { Role: "r" } })] }, [], {}, "${attr.vault.version} semver >= 0.6.1"],
  ["a device", { Tasks: [aTask({ Resources: { ...aTask().Resources, Devices: [{ Name: "gpu" }] } })] }, [], {}, "missing devices"],
])("filtered by %s", (_name, group, peers, job, want) => {
  expect(why(group, peers, job)).toBe(want);
});

test("nodes of one class differ only in what is unique", () => {
  expect(computedClass(node)).toMatch(/^v1:\d+$/);
  expect(computedClass({ ...node, ID: "other", Attributes: { ...node.Attributes, "unique.hostname": "x" } })).toBe(computedClass(node));
  expect(computedClass({ ...node, Meta: { rack: "r2" } })).not.toBe(computedClass(node));
  expect(escapesClass(aJob(), aGroup({ Constraints: [constraint("${attr.unique.hostname}", "=", "vm")] }))).toBe(true);
  expect(escapesClass(aJob(), aGroup({ Constraints: [constraint("${attr.kernel.name}", "=", "linux")] }))).toBe(false);
});

describe("the score", () => {
  const score = (group: Partial<TaskGroup>, room = {}) =>
    scoreNode(aJob(), aGroup(group), node, { cpu: 4_000, memory: 8_000, peers: [], isRetry: false, ...room });

  test("of a full node is that of its packing alone", () => {
    expect(score({})).toEqual({
      Scores: { binpack: 1, "job-anti-affinity": 0, "node-affinity": 0, "node-reschedule-penalty": 0 },
      NormScore: 1,
    });
  });

  test("is the mean of what speaks for and against", () => {
    const Affinities = [
      { ...constraint("${meta.rack}", "=", "r1"), Weight: 50 },
      { ...constraint("${meta.rack}", "=", "r9"), Weight: 50 },
      { ...constraint("${node.class}", "=", "big"), Weight: -100 },
    ];
    const { Scores, NormScore } = score({ Count: 4, Affinities }, { peers: [{ TaskGroup: "g" }, { TaskGroup: "h" }], isRetry: true });
    expect(Scores).toEqual({ binpack: 1, "job-anti-affinity": -0.5, "node-affinity": -0.25, "node-reschedule-penalty": -1 });
    expect(NormScore).toBeCloseTo((1 - 0.5 - 0.25 - 1) / 4);
  });
});

describe("intake", () => {
  const job = (group: object) => ({ ID: "j", TaskGroups: [{ Name: "g", Tasks: [{ Name: "t", Driver: "raw_exec" }], ...group }] });

  test.each<[object, string]>([
    [
      { Constraints: [{ LTarget: "${a}", Operand: "like", RTarget: "x" }] },
      'Job.TaskGroups[0].Constraints[0].Operand: got "like", want one of ',
    ],
    [{ Constraints: [{ Operand: "=", RTarget: "x" }] }, "Constraints[0].LTarget: got nothing"],
    [{ Constraints: [{ LTarget: "${a}", Operand: "regexp", RTarget: "(" }] }, 'Constraints[0].RTarget: got "(", want a regular expression'],
    [{ Constraints: [{ LTarget: "${a}", Operand: "version", RTarget: "new" }] }, "want a version constraint"],
    [{ Constraints: [{ LTarget: "${a}", Operand: "semver", RTarget: "~> 1" }] }, "want a semver constraint"],
    [{ Constraints: [{ LTarget: "${a}", Operand: "set_contains" }] }, "want a list of values"],
    [{ Constraints: [{ LTarget: "${a}", Operand: "distinct_property", RTarget: "0" }] }, "1 or more"],
    [{ Constraints: [{ Operand: "distinct_hosts", RTarget: "maybe" }] }, "true or false"],
    [{ Affinities: [{ LTarget: "${a}", RTarget: "x", Weight: 0 }] }, "Affinities[0].Weight: got 0"],
    [{ Affinities: [{ LTarget: "${a}", Operand: "distinct_hosts" }] }, "Affinities[0].Operand"],
    [
      {
        Spreads: [
          {
            Attribute: "${a}",
            SpreadTarget: [
              { Value: "x", Percent: 60 },
              { Value: "y", Percent: 50 },
            ],
          },
        ],
      },
      "SpreadTarget",
    ],
    [{ Count: 9, Scaling: { Min: 1, Max: 5 } }, "Job.TaskGroups[0].Count: got 9, want a count from 1 to 5"],
    [{ Count: 2, Scaling: { Min: 2, Max: 1 } }, "Scaling.Max: got 1, want Min (2) or more"],
  ])("%j is refused by name", (group, message) => {
    expect(() => jobFromApi(job(group))).toThrow(message);
  });

  test("what is not known before the node is looked at is taken", () => {
    const Constraints = [{ LTarget: "${a}", Operand: "regexp", RTarget: "${meta.pattern}" }];
    expect(jobFromApi(job({ Constraints })).TaskGroups[0]?.Constraints).toEqual(Constraints);
    expect(jobFromApi(job({ Constraints: [] })).TaskGroups[0]?.Constraints).toBeNull();
  });
});
