import { AddressError, type AddressSources, type DriverNetwork, resolveAddress } from "./service-address.js";

const driver: DriverNetwork = { ip: "172.17.0.5", ports: { http: 8080 }, autoAdvertise: false };
const network = { InterfaceName: "eth0", Address: "172.26.64.2", AddressIPv6: "", DNS: null };
const sources = (more: Partial<AddressSources> = {}): AddressSources => ({
  ports: [
    { Label: "http", Value: 23_456, To: 80, HostIP: "10.0.0.7" },
    { Label: "admin", Value: 23_457, To: 0, HostIP: "10.0.0.8" },
  ],
  hostIP: "10.0.0.1",
  alloc: null,
  driver: null,
  ...more,
});

test.each([
  ["auto", "http", "", sources(), "10.0.0.7", 23_456],
  ["auto", "8080", "", sources(), "10.0.0.1", 8080],
  ["auto", "", "", sources(), "10.0.0.1", 0],
  ["auto", "http", "db.example", sources(), "db.example", 23_456],
  ["auto", "http", "", sources({ driver }), "10.0.0.7", 23_456],
  ["auto", "http", "", sources({ driver: { ...driver, autoAdvertise: true } }), "172.17.0.5", 8080],
  ["host", "http", "", sources({ driver: { ...driver, autoAdvertise: true } }), "10.0.0.7", 23_456],
  ["driver", "admin", "", sources({ driver }), "172.17.0.5", 23_457],
  ["driver", "99", "", sources({ driver }), "172.17.0.5", 99],
  ["alloc", "http", "", sources({ alloc: network }), "172.26.64.2", 80],
  ["alloc", "admin", "", sources({ alloc: network }), "172.26.64.2", 23_457],
] as const)("%s, port %j, address %j", (mode, label, custom, from, address, port) => {
  expect(resolveAddress(mode, label, custom, from)).toEqual({ address, port });
});

test.each([
  ["host", "db", 'invalid port "db": port label not found'],
  ["host", "0", 'invalid port "0": port must be between 1 and 65535'],
  ["host", "65536", 'invalid port "65536": port must be between 1 and 65535'],
  ["host", "-1", 'invalid port "-1": port label not found'],
  ["driver", "http", 'cannot use address_mode="driver": no driver network exists'],
  ["alloc", "http", 'cannot use address_mode="alloc": no allocation network status reported'],
] as const)("%s with port %j has no address", (mode, label, message) => {
  expect(() => resolveAddress(mode, label, "", sources())).toThrow(new AddressError(message));
});
