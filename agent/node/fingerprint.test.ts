import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import os from "node:os";
import { dirname, join } from "node:path";
import type { Driver } from "../../drivers/driver.js";
import { SystemClock } from "../clock.js";
import type { DriverInfo } from "../model/node.js";
import { fingerprintNode, refreshDrivers } from "./fingerprint.js";
import { addressOf, cgroupsVersion, cpuFacts, osFacts } from "./host-facts.js";
import { listeningPorts } from "./listening-ports.js";
import { loadNodeId } from "./node-id.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(os.tmpdir(), "allocd-node-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const file = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), text);
};
const paths = () => ({ proc: join(dir, "proc"), sys: join(dir, "sys"), etc: join(dir, "etc") });

const driver = (info: Partial<DriverInfo>): Driver =>
  ({
    fingerprint: async () => ({ Attributes: {}, Detected: true, Healthy: true, HealthDescription: "Healthy", UpdateTime: 1n, ...info }),
  }) as Partial<Driver> as Driver;

describe("the node's id", () => {
  test("stays the same, and is for nobody else to read", async () => {
    const id = await loadNodeId(dir);
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(await loadNodeId(dir)).toBe(id);
    expect((await stat(join(dir, "node-id"))).mode & 0o777).toBe(0o600);
  });

  test("is one, however many ask for the first time, and no draft is left behind", async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => loadNodeId(dir)));
    expect(new Set(ids).size).toBe(1);
    expect(await readdir(dir)).toEqual(["node-id"]);
  });

  test("is never replaced when its file holds something else", async () => {
    await file("node-id", "garbage");
    await expect(loadNodeId(dir)).rejects.toThrow(`${join(dir, "node-id")}: got "garbage"`);
    expect(await readFile(join(dir, "node-id"), "utf8")).toBe("garbage");
  });
});

describe("the host", () => {
  test("is described as far as it can be known", async () => {
    const drivers = new Map([
      ["raw_exec", driver({ Attributes: { "driver.raw_exec": "true" } })],
      ["docker", driver({ Detected: false, Healthy: false, Attributes: { "driver.docker.version": "1" } })],
    ]);
    const node = await fingerprintNode({ dataDir: dir, clock: new SystemClock(), httpAddr: "127.0.0.1:4646" }, drivers);
    expect(node).toMatchObject({
      Name: os.hostname(),
      Datacenter: "dc1",
      NodePool: "default",
      HTTPAddr: "127.0.0.1:4646",
      NetworkIP: "127.0.0.1",
      NetworkDevice: "lo",
      Status: "ready",
      Reserved: { CpuShares: 0, MemoryMB: 0, DiskMB: 0 },
      Attributes: {
        "kernel.name": "linux",
        "unique.hostname": os.hostname(),
        "driver.raw_exec": "1",
        "nomad.version": expect.stringMatching(/^\d+\.\d+\.\d+$/),
      },
    });
    const { Resources, Attributes } = node;
    expect(Resources.CpuShares).toBe(Number(Attributes["cpu.numcores"]) * Number(Attributes["cpu.frequency"]));
    for (const amount of Object.values(Resources)) expect(amount).toBeGreaterThan(0);
    expect(Attributes["driver.docker"]).toBeUndefined();
    expect(Attributes["driver.docker.version"]).toBeUndefined();
    expect(Object.values(Attributes)).not.toContain("");
  });

  test("may be described otherwise by its operator", async () => {
    const options = {
      total: { CpuShares: 9_000 },
      reserved: { CpuShares: 1_000 },
      name: "n",
      datacenter: "eu",
      minDynamicPort: 1,
      maxDynamicPort: 2,
      meta: { a: "b" },
    };
    const node = await fingerprintNode({ dataDir: dir, clock: new SystemClock(), httpAddr: "", ...options }, new Map());
    expect(node).toMatchObject({
      Resources: { CpuShares: 9_000 },
      Reserved: { CpuShares: 1_000 },
      Name: "n",
      Datacenter: "eu",
      Meta: { a: "b" },
      MinDynamicPort: 1,
      MaxDynamicPort: 2,
      Attributes: { "cpu.usablecompute": "8000" },
    });
  });

  test("is the same object while its drivers are as they were", async () => {
    let healthy = true;
    const drivers = new Map([
      ["raw_exec", { fingerprint: () => driver({ Healthy: healthy, UpdateTime: BigInt(Date.now()) }).fingerprint() } as Driver],
    ]);
    const node = await fingerprintNode({ dataDir: dir, clock: new SystemClock(), httpAddr: "" }, drivers);
    expect(await refreshDrivers(node, drivers)).toBe(node);
    healthy = false;
    const sick = await refreshDrivers(node, drivers);
    expect(sick.Drivers.raw_exec?.Healthy).toBe(false);
    expect(sick.Attributes["driver.raw_exec"]).toBeUndefined();
  });

  test("an interface that is not there is named with those that are", () => {
    expect(() => addressOf("eth99")).toThrow(/got "eth99", want one of .*lo/);
    expect(addressOf("lo")).toMatchObject({ device: "lo" });
  });
});

describe("what its files say", () => {
  test("the base frequency counts, not the one of the moment", async () => {
    await file("sys/devices/system/cpu/cpu0/cpufreq/base_frequency", "2600000\n");
    await file("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3900000\n");
    expect((await cpuFacts(paths())).mhz).toBe(2_600);
  });

  test("without any frequency there is a floor", async () => {
    expect((await cpuFacts(paths())).mhz).toBeGreaterThan(0);
  });

  test.each([
    ['ID=debian\nVERSION_ID="12"\n', { name: "debian", version: "12" }],
    ["PRETTY_NAME='x'\nID='alpine'\n", { name: "alpine", version: "" }],
    ["", { name: "linux", version: "" }],
  ])("the distribution of %j", async (text, want) => {
    await file("etc/os-release", text);
    expect(await osFacts(paths())).toEqual(want);
  });

  test.each([
    ["2", "cgroup.controllers"],
    ["1", "memory/tasks"],
    ["", "other"],
  ])("cgroups version %j", async (version, path) => {
    await file(`sys/fs/cgroup/${path}`, "");
    expect(await cgroupsVersion(paths())).toBe(version);
  });

  test("listening ports, IPv4 and IPv6, and no others", async () => {
    const row = (port: string, state: string, address = "0100007F") => `   0: ${address}:${port} 00000000:0000 ${state} 00000000:00000000`;
    await file("proc/net/tcp", `  sl  local_address\n${row("1F90", "0A")}\n${row("1F91", "01")}\n`);
    await file("proc/net/tcp6", `  sl  local_address\n${row("0050", "0A", "0".repeat(32))}\n`);
    expect([...listeningPorts(join(dir, "proc"))].sort()).toEqual([80, 8080]);
    expect([...listeningPorts(join(dir, "none"))]).toEqual([]);
  });

  test("a server of this process is among them", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    try {
      expect(listeningPorts().has(typeof address === "object" ? (address?.port ?? 0) : 0)).toBe(true);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
