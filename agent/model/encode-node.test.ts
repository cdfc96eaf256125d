import { encodeNode, encodeNodeStub } from "./encode-node.js";
import type { Node } from "./node.js";

const node: Node = {
  ID: "e2a69662-816c-27dd-80d3-2c6d5aaab591",
  Name: "host",
  Datacenter: "dc1",
  NodePool: "default",
  NodeClass: "",
  HTTPAddr: "127.0.0.1:4646",
  Attributes: { "nomad.version": "2.0.6" },
  Meta: { rack: "1" },
  Drivers: {
    raw_exec: { Attributes: {}, Detected: true, Healthy: true, HealthDescription: "Healthy", UpdateTime: 1_795_447_171_477_987_423n },
  },
  Resources: { CpuShares: 5_192, Cores: 2, MemoryMB: 24_105, DiskMB: 258_019 },
  Reserved: { CpuShares: 100, Cores: 0, MemoryMB: 200, DiskMB: 300 },
  NetworkIP: "127.0.0.1",
  NetworkDevice: "lo",
  MinDynamicPort: 20_000,
  MaxDynamicPort: 32_000,
  Status: "ready",
  SchedulingEligibility: "eligible",
  DrainStrategy: null,
  LastDrain: null,
  CgroupParent: "allocd.slice",
  StatusUpdatedAt: 1_795_447_174_000_000_000n,
  CreateIndex: 8,
  ModifyIndex: 10,
};

const driver = {
  Attributes: {},
  Detected: true,
  HealthDescription: "Healthy",
  Healthy: true,
  UpdateTime: "2026-11-23T15:19:31.477987423Z",
};

test("a node shows what it has and what is reserved", () => {
  expect(JSON.parse(encodeNode(node))).toMatchObject({
    ID: node.ID,
    HTTPAddr: "127.0.0.1:4646",
    Attributes: node.Attributes,
    Meta: node.Meta,
    Drivers: { raw_exec: driver },
    NodeResources: {
      Cpu: { CpuShares: 5_192, ReservableCpuCores: [0, 1], TotalCpuCores: 2 },
      Memory: { MemoryMB: 24_105 },
      Disk: { DiskMB: 258_019 },
      MinDynamicPort: 20_000,
      MaxDynamicPort: 32_000,
      Networks: [{ Device: "lo", IP: "127.0.0.1", CIDR: "127.0.0.1/32" }],
    },
    ReservedResources: { Cpu: { CpuShares: 100 }, Memory: { MemoryMB: 200 }, Disk: { DiskMB: 300 } },
    StatusUpdatedAt: 1_795_447_174,
    SecretID: "",
  });
});

test("a node of IPv6 has its address without the brackets that only a URL needs", () => {
  const v6 = JSON.parse(encodeNode({ ...node, HTTPAddr: "[fd00::1]:4646", NetworkIP: "fd00::1" }));
  expect(v6).toMatchObject({ Address: "fd00::1", NodeResources: { Networks: [{ CIDR: "fd00::1/128" }] } });
  expect(v6.NodeResources.NodeNetworks[0].Addresses[0]).toMatchObject({ Address: "fd00::1", Family: "ipv6" });
});

test("a stub has the members of the reference", () => {
  const stub = JSON.parse(encodeNodeStub(node));
  expect(Object.keys(stub).sort()).toEqual(
    "Address CreateIndex Datacenter Drain Drivers HostVolumes ID LastDrain ModifyIndex Name NodeClass NodePool SchedulingEligibility Status StatusDescription Version".split(
      " ",
    ),
  );
  expect(stub).toMatchObject({ Address: "127.0.0.1", Drivers: { raw_exec: driver }, Version: "2.0.6" });
});
