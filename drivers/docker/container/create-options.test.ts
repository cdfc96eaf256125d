import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AllocatedPort } from "../../../agent/model/allocation.js";
import { DriverError, type TaskSpec } from "../../driver.js";
import { parseTaskConfig } from "../config/task-config.js";
import type { DockerOptions } from "../options.js";
import { taskSpec, testHost, testOptions } from "../testing/spec.js";
import { createOptions } from "./create-options.js";
import { containerName } from "./names.js";

const create = (config: Readonly<Record<string, unknown>>, spec: Partial<TaskSpec> = {}, options: Partial<DockerOptions> = {}) =>
  createOptions(taskSpec(spec), parseTaskConfig({ image: "i", ...config }), { ...testOptions, ...options }, testHost);

const port = (Label: string, Value: number, To = 0): AllocatedPort => ({ Label, Value, To, HostIP: "127.0.0.1" });
const binding = (host: number) => [{ HostIp: "127.0.0.1", HostPort: String(host) }];
const mib = 1024 * 1024;

test("a container without any wishes", () => {
  expect(create({}, { env: { B: "2", A: "1" } })).toMatchObject({
    name: "t-0a0b0c0d-0000-4000-8000-000000000001",
    Image: "i",
    Env: ["A=1", "B=2"],
    HostConfig: {
      NetworkMode: "default",
      PortBindings: {},
      Binds: ["/a/alloc:/alloc", "/a/t/local:/local", "/a/t/secrets:/secrets", "/a/alloc/logs:/alloc/logs:ro"],
      Memory: 64 * mib,
      MemorySwap: 64 * mib,
      CpuShares: 100,
      PidsLimit: -1,
      CapAdd: null,
      CapDrop: ["CAP_NET_RAW"],
    },
  });
  expect(create({})).not.toHaveProperty("Cmd");
  expect(create({})).not.toHaveProperty("Entrypoint");
});

test.each([
  [{ memoryMaxMB: 128 }, {}, { Memory: 128 * mib, MemoryReservation: 64 * mib }],
  [{ memoryMaxMB: 128 }, { memory_hard_limit: 256 }, { Memory: 256 * mib }],
  [{ memoryMaxMB: -1 }, {}, { Memory: 0, MemoryReservation: 64 * mib }],
  [{ cpuShares: 1 }, {}, { CpuShares: 2 }],
  [{ cpuShares: 500_000 }, {}, { CpuShares: 262_144 }],
  [{ cpuShares: 1000 }, { cpu_hard_limit: true }, { CpuPeriod: 100_000, CpuQuota: 50_000 }],
  [{ cores: [0, 3] }, { cpuset_cpus: "1" }, { CpusetCpus: "0,3" }],
  [{}, { cpuset_cpus: "1" }, { CpusetCpus: "1" }],
  [{}, { pids_limit: 7 }, { PidsLimit: 7 }],
])("of the resources %j and the config %j come %j", (resources, config, limits) => {
  expect(create(config, { resources: { ...taskSpec().resources, ...resources } }).HostConfig).toMatchObject(limits);
});

test("capabilities that are not allowed are dropped, and what was asked for is there", () => {
  const caps = (config: Readonly<Record<string, unknown>>, allowCaps = testOptions.allowCaps) => {
    const { CapAdd, CapDrop } = create(config, {}, { allowCaps }).HostConfig ?? {};
    return [CapAdd, CapDrop];
  };
  expect(caps({ cap_add: ["chown"] })).toEqual([null, ["CAP_NET_RAW"]]);
  expect(caps({ cap_drop: ["ALL"], cap_add: ["CHOWN"] })).toEqual([["CAP_CHOWN"], ["ALL"]]);
  expect(caps({ cap_add: ["sys_time"] }, ["all"])).toEqual([["CAP_SYS_TIME"], null]);
  expect(caps({}, ["all"])).toEqual([null, null]);
  expect(() => caps({ cap_add: ["sys_time", "chown"] })).toThrow("does not allow the following capabilities: sys_time");
});

test("ports are published where they are named, or where the task has a network of its own", () => {
  const ports = [port("web", 20_001, 80), port("db", 20_002)];
  const network = { mode: "host", ports, taskPorts: null } as const;
  expect(create({}, { network }).HostConfig?.PortBindings).toEqual({});
  const named = create({ ports: ["web", "db"] }, { network });
  expect(named.HostConfig?.PortBindings).toEqual({
    "80/tcp": binding(20_001),
    "80/udp": binding(20_001),
    "20002/tcp": binding(20_002),
    "20002/udp": binding(20_002),
  });
  expect(Object.keys(named.ExposedPorts ?? {})).toEqual(["80/tcp", "80/udp", "20002/tcp", "20002/udp"]);
  const own = create(
    { port_map: { "my-db": 6379 } },
    { network: { mode: "host", ports: [], taskPorts: [port("my-db", 20_003), port("x", 20_004)] } },
  );
  expect(own.HostConfig?.PortBindings).toMatchObject({ "6379/tcp": binding(20_003), "20004/udp": binding(20_004) });
  expect(own.Env).toContain("NOMAD_PORT_my_db=6379");
});

test.each([
  [{ ports: ["none"] }, {}, 'Port "none" not found, check network block'],
  [{ port_map: { db: 1 } }, {}, "Trying to map ports but no network interface is available"],
  [{ port_map: { db: 1 } }, { network: { mode: "host", ports: [port("db", 1)], taskPorts: null } }, "use 'ports' instead"],
  [{ port_map: { other: 1 } }, { network: { mode: "host", ports: [], taskPorts: [port("db", 1)] } }, 'Port "other" not found'],
  [{ hostname: "h" }, { network: { mode: "bridge", ports: [], taskPorts: null } }, "hostname can not be set"],
  [{ extra_hosts: ["a:1.2.3.4"] }, { network: { mode: "bridge", ports: [], taskPorts: null } }, "extra_hosts can not be set"],
  [{ network_aliases: ["a"] }, {}, "network_aliases needs a network_mode"],
  [{ memory_hard_limit: 10 }, {}, "task memory requirements exceed driver hard limit of 10 MB"],
  [{ privileged: true }, {}, "Docker privileged mode is disabled on this Nomad agent"],
  [{ runtime: "odd" }, {}, 'requested runtime "odd" is not allowed'],
  [{ ipc_mode: "host" }, {}, 'cannot apply "ipc_mode" configuration'],
  [{ volumes: ["/etc:/etc"] }, {}, 'volumes are not enabled; cannot mount host path: "/etc"'],
  [{ volumes: ["v:/v"], volume_driver: "nfs" }, {}, 'volumes are not enabled; cannot use volume driver "nfs"'],
  [{ volumes: ["v"] }, {}, 'volumes: got "v"'],
  [{ mounts: { type: "volume", source: "v", target: "/v" } }, {}, 'volumes are not enabled; cannot mount volume: "v"'],
  [{ mounts: { type: "bind", source: "/etc", target: "/v" } }, {}, "volumes are not enabled"],
] as [Record<string, unknown>, Partial<TaskSpec>, string][])("%j is refused as it is not allowed", (config, spec, text) => {
  expect(() => create(config, spec)).toThrow(text);
  expect(() => create(config, spec)).toThrow('Failed to create container configuration for image "i": ');
  expect(() => create(config, spec)).toThrow(DriverError);
});

test("a group's tasks join the container that holds its network, and publish nothing themselves", () => {
  const network = { mode: "bridge", ports: [port("web", 20_001, 80)], taskPorts: null } as const;
  const { HostConfig, ExposedPorts } = create({ ports: ["web"] }, { network });
  expect(HostConfig).toMatchObject({ NetworkMode: "container:nomad_init_0a0b0c0d-0000-4000-8000-000000000001", PortBindings: {} });
  expect(ExposedPorts).toBeUndefined();
  expect(create({ network_mode: "host" }, { network }).HostConfig?.NetworkMode).toBe("host");
  expect(create({}, { network: { ...network, mode: "none" } }).HostConfig?.NetworkMode).toBe("none");
});

test("an address in a network of the engine's", () => {
  const { NetworkingConfig } = create({ network_mode: "mine", ipv4_address: "10.0.0.5", network_aliases: ["a"] });
  expect(NetworkingConfig).toEqual({ EndpointsConfig: { mine: { Aliases: ["a"], IPAMConfig: { IPv4Address: "10.0.0.5" } } } });
});

test("only labels that were asked for tell of the job", () => {
  const labels = create({ labels: { own: "x" } }, {}, { extraLabels: ["job*", "node_name"] }).Labels;
  expect(labels).toEqual({
    own: "x",
    "com.hashicorp.nomad.job_name": "job",
    "com.hashicorp.nomad.job_id": "job/1",
    "com.hashicorp.nomad.node_name": "host",
    "com.hashicorp.nomad.alloc_id": taskSpec().allocId,
    "com.hashicorp.nomad.node_id": "node-1",
    "com.hashicorp.nomad.task_name": "t",
    "allocd.run": taskSpec().runId,
  });
});

test("names are what the engine takes, and no two tasks have the same", () => {
  expect(containerName("a/b", "id")).toBe("a_b-id");
  const names = ["a b", "a_b", "a:b", "ä", "ö", "-x", "_x"].map((task) => containerName(task, "id"));
  for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/);
  expect(new Set(names).size).toBe(names.length);
});

describe("paths of the host", () => {
  let dir: string;
  beforeEach(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), "allocd-docker-test-")));
    mkdirSync(join(dir, "t/local"), { recursive: true });
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const bindsOf = (volumes: readonly string[], options: Partial<DockerOptions> = {}): readonly string[] => {
    const dirs = { ...taskSpec().dirs, alloc: dir, task: join(dir, "t"), local: join(dir, "t/local") };
    return create({ volumes }, { dirs }, options).HostConfig?.Binds?.slice(4) ?? [];
  };

  test("inside of the allocation they are free, also when they do not exist yet", () => {
    expect(bindsOf(["local/new/file:/x:ro"])).toEqual([`${dir}/t/local/new/file:/x:ro`]);
    expect(bindsOf(["../alloc/data:/x"])).toEqual([`${dir}/alloc/data:/x`]);
  });

  test("a link that leads out of it is outside", () => {
    symlinkSync("/etc", join(dir, "t/local/link"));
    expect(() => bindsOf(["local/link:/x"])).toThrow("volumes are not enabled");
    expect(() => bindsOf(["local/link/passwd:/x"])).toThrow("volumes are not enabled");
    expect(() => bindsOf(["../../other:/x"])).toThrow("volumes are not enabled");
  });

  test("where the operator allows it they may be anywhere", () => {
    const volumes = { enabled: true, selinuxLabel: "z" };
    expect(bindsOf(["/etc:/x:ro", "local:/y"], { volumes })).toEqual(["/etc:/x:ro,z", `${dir}/t/local:/y:z`]);
  });
});

test("the job's volumes are mounted though the driver's own volumes are not enabled", () => {
  const mounts = [
    { source: "/srv/data", target: "/data", readOnly: false, propagation: "private" as const },
    { source: "/srv/certs", target: "/certs", readOnly: true, propagation: "host-to-task" as const },
  ];
  expect(create({}, { mounts }).HostConfig?.Mounts).toEqual([
    { Type: "bind", Source: "/srv/data", Target: "/data", ReadOnly: false, BindOptions: { Propagation: "rprivate" } },
    { Type: "bind", Source: "/srv/certs", Target: "/certs", ReadOnly: true, BindOptions: { Propagation: "rslave" } },
  ]);
});
