import { taskSpec } from "../testing/spec.js";
import { driverNetwork } from "./driver-network.js";

const inspected = (networks: Readonly<Record<string, string>>) =>
  ({
    NetworkSettings: { Networks: Object.fromEntries(Object.entries(networks).map(([name, IPAddress]) => [name, { IPAddress }])) },
  }) as never;
const ports = [{ Label: "http", Value: 23_000, To: 80, HostIP: "127.0.0.1" }];
const spec = taskSpec({ config: { image: "i", ports: ["http"] }, network: { mode: "host", ports, taskPorts: null } });

test.each([
  [{ bridge: "172.17.0.2" }, { ip: "172.17.0.2", ports: { http: 80 }, autoAdvertise: false }],
  [
    { none: "", weave: "10.32.0.4" },
    { ip: "10.32.0.4", ports: { http: 80 }, autoAdvertise: true },
  ],
  [{ host: "" }, undefined],
  [{}, undefined],
])("of a container in %j", (networks, wanted) => {
  expect(driverNetwork(spec, inspected(networks))).toEqual(wanted);
});

test("of one whose config is not what it was started with has no ports of its own", () => {
  expect(driverNetwork(taskSpec({ config: { image: "i", nonsense: 1 } }), inspected({ bridge: "172.17.0.2" }))?.ports).toEqual({});
});
