import fc from "fast-check";
import type { Allocation } from "./allocation.js";
import type { Task, TaskGroup } from "./job.js";
import type { Node } from "./node.js";
import { type Env, type TaskEnvInput, taskEnv } from "./task-env.js";

const resources = (more: object = {}): object => ({
  Cpu: { CpuShares: 50, ReservedCores: null },
  Memory: { MemoryMB: 40, MemoryMaxMB: 0 },
  Networks: null,
  ...more,
});
const port = (Label: string, Value: number, To = 0, HostIP = "10.0.0.5") => ({ Label, Value, To, HostIP });

interface Given {
  readonly tasks?: object;
  readonly ports?: readonly object[];
  readonly task?: object;
  readonly job?: object;
  readonly group?: object;
  readonly input?: Partial<TaskEnvInput>;
}

function env({ tasks = { t: resources() }, ports = [], task = {}, job = {}, group = {}, input = {} }: Given = {}): Env {
  const alloc = {
    ID: "0123456789abcdef",
    Name: "j.g[7]",
    Namespace: "ns",
    TaskGroup: "g",
    Job: { ID: "j", Name: "jay", Region: "", Meta: null, ParentID: "", ...job },
    AllocatedResources: { Tasks: tasks, Shared: { Ports: ports } },
  };
  return taskEnv({
    alloc: alloc as unknown as Allocation,
    group: { Name: "g", Meta: null, ...group } as unknown as TaskGroup,
    task: { Name: "t", Env: null, Meta: null, Resources: {}, ...task } as unknown as Task,
    node: {
      ID: "n",
      Name: "host-1",
      Datacenter: "dc1",
      Attributes: { "kernel.name": "linux" },
      Meta: {},
      CgroupParent: "allocd.slice",
    } as unknown as Node,
    paths: { alloc: "/d/alloc", local: "/d/t/local", secrets: "/d/t/secrets" },
    hostEnv: {},
    denied: [],
    ...input,
  });
}

test("what every task gets", () => {
  expect(env()).toEqual({
    NOMAD_ALLOC_DIR: "/d/alloc",
    NOMAD_TASK_DIR: "/d/t/local",
    NOMAD_SECRETS_DIR: "/d/t/secrets",
    NOMAD_ALLOC_ID: "0123456789abcdef",
    NOMAD_SHORT_ALLOC_ID: "01234567",
    NOMAD_ALLOC_NAME: "j.g[7]",
    NOMAD_ALLOC_INDEX: "7",
    NOMAD_TASK_NAME: "t",
    NOMAD_GROUP_NAME: "g",
    NOMAD_JOB_ID: "j",
    NOMAD_JOB_NAME: "jay",
    NOMAD_NAMESPACE: "ns",
    NOMAD_REGION: "global",
    NOMAD_DC: "dc1",
    NOMAD_PARENT_CGROUP: "allocd.slice",
    NOMAD_CPU_LIMIT: "50",
    NOMAD_CPU_CORES: " ",
    NOMAD_MEMORY_LIMIT: "40",
  });
});

test("cores as cgroups write them, a memory maximum, a parent job", () => {
  const tasks = { t: resources({ Cpu: { CpuShares: 0, ReservedCores: [3, 0, 1] }, Memory: { MemoryMB: 40, MemoryMaxMB: 80 } }) };
  const made = env({ tasks, job: { ParentID: "p" } });
  expect(made).toMatchObject({ NOMAD_CPU_CORES: "0-1,3", NOMAD_MEMORY_MAX_LIMIT: "80", NOMAD_JOB_PARENT_ID: "p" });
  expect(made).not.toHaveProperty("NOMAD_CPU_LIMIT");
});

test("ports of the group", () => {
  expect(env({ ports: [port("http", 25_000), port("in-side", 25_001, 80, "::1")] })).toMatchObject({
    NOMAD_IP_http: "10.0.0.5",
    NOMAD_HOST_IP_http: "10.0.0.5",
    NOMAD_ADDR_http: "10.0.0.5:25000",
    NOMAD_HOST_ADDR_http: "10.0.0.5:25000",
    NOMAD_PORT_http: "25000",
    NOMAD_HOST_PORT_http: "25000",
    NOMAD_ALLOC_PORT_http: "25000",
    NOMAD_PORT_in_side: "80",
    NOMAD_HOST_PORT_in_side: "25001",
    NOMAD_ADDR_in_side: "[::1]:25001",
    "NOMAD_HOST_IP_in-side": "::1",
  });
});

test("ports of single tasks: the own plainly, those of others by their task", () => {
  const network = (Value: number) => [{ IP: "10.0.0.5", ReservedPorts: [{ Label: "p", Value, To: 0 }], DynamicPorts: null }];
  const made = env({ tasks: { t: resources({ Networks: network(1) }), u: resources({ Networks: network(2) }) } });
  expect(made).toMatchObject({
    NOMAD_PORT_p: "1",
    NOMAD_ADDR_p: "10.0.0.5:1",
    NOMAD_PORT_u_p: "2",
    NOMAD_IP_u_p: "10.0.0.5",
    NOMAD_ADDR_u_p: "10.0.0.5:2",
  });
});

test("meta of job, group and task, the closer one wins, in both cases", () => {
  const made = env({
    job: { Meta: { a: "job", b: "job", "da-sh": "x" } },
    group: { Meta: { b: "group", c: "group" } },
    task: { Meta: { c: "${attr.kernel.name}" } },
  });
  expect(made).toMatchObject({
    NOMAD_META_a: "job",
    NOMAD_META_A: "job",
    NOMAD_META_b: "group",
    NOMAD_META_c: "linux",
    NOMAD_META_C: "linux",
    NOMAD_META_da_sh: "x",
    NOMAD_META_DA_SH: "x",
  });
});

test("the host's variables come last but for the task's own, and some never", () => {
  const hostEnv = { PATH: "/bin", NOMAD_DC: "other", VAULT_TOKEN: "s", AWS_X: "s", AWSX: "ok", GONE: undefined };
  const made = env({
    task: { Env: { MINE: "${PATH}:${NOMAD_META_nope}", PATH: "/mine:${PATH}" } },
    input: { hostEnv, denied: ["VAULT_TOKEN", "AWS_*"] },
  });
  expect(made).toMatchObject({ NOMAD_DC: "dc1", AWSX: "ok", MINE: "/bin:${NOMAD_META_nope}", PATH: "/mine:/bin" });
  for (const name of ["VAULT_TOKEN", "AWS_X", "GONE"]) expect(made).not.toHaveProperty(name);
});

test("the task's own variables do not depend on their order", () => {
  const own = { A: "${B}", B: "${A}", C: "${NOMAD_TASK_NAME}" };
  const reversed = Object.fromEntries(Object.entries(own).toReversed());
  expect(env({ task: { Env: own } })).toEqual(env({ task: { Env: reversed } }));
});

test("whatever a task sets is what it gets, when it refers to nothing", () => {
  const name = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,8}$/).filter((n) => !n.startsWith("NOMAD_"));
  fc.assert(
    fc.property(
      fc.dictionary(
        name,
        fc.string().filter((v) => !v.includes("${")),
      ),
      (own) => {
        expect(env({ task: { Env: own } })).toMatchObject(own);
      },
    ),
  );
});
