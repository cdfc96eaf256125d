import fc from "fast-check";
import { aNetwork, aPort } from "../jobs/testing/fixtures.js";
import { grantNetwork, type PortSpace } from "./ports.js";

const space = (change: Partial<PortSpace> = {}): PortSpace => ({
  ip: "127.0.0.1",
  device: "lo",
  min: 20_000,
  max: 32_000,
  taken: () => false,
  busy: () => false,
  random: () => 0,
  ...change,
});

test("static and dynamic ports get their numbers, the address and the device", () => {
  const ask = aNetwork({ ReservedPorts: [aPort("http", 8080, 80)], DynamicPorts: [aPort("db"), aPort("same", 0, -1)] });
  const { network, ports } = grantNetwork(ask, space());
  expect(network).toMatchObject({
    IP: "127.0.0.1",
    Device: "lo",
    DynamicPorts: [
      { Label: "db", Value: 20_000 },
      { Label: "same", Value: 20_001, To: 20_001 },
    ],
  });
  expect(ports).toEqual([
    { Label: "http", Value: 8080, To: 80, HostIP: "127.0.0.1" },
    { Label: "db", Value: 20_000, To: 0, HostIP: "127.0.0.1" },
    { Label: "same", Value: 20_001, To: 20_001, HostIP: "127.0.0.1" },
  ]);
});

test.each([
  [
    "a static port that is taken",
    aNetwork({ ReservedPorts: [aPort("http", 8080)] }),
    space({ taken: (p) => p === 8080 }),
    "network: reserved port collision http=8080",
  ],
  [
    "the same static port twice",
    aNetwork({ ReservedPorts: [aPort("a", 81), aPort("b", 81)] }),
    space(),
    "network: reserved port collision b=81",
  ],
  [
    "no dynamic port left",
    aNetwork({ DynamicPorts: [aPort("a"), aPort("b")] }),
    space({ max: 20_000 }),
    "network: dynamic port selection failed",
  ],
])("refused: %s", (_name, ask, where, message) => {
  expect(() => grantNetwork(ask, where)).toThrow(message);
});

test("a collision that the job allows is none", () => {
  const ask = aNetwork({ ReservedPorts: [{ ...aPort("http", 8080), IgnoreCollision: true }] });
  expect(grantNetwork(ask, space({ taken: () => true })).ports).toHaveLength(1);
});

test("a dynamic port avoids what somebody else listens on; a static one is the job's own decision", () => {
  const ask = aNetwork({ ReservedPorts: [aPort("s", 20_000)], DynamicPorts: [aPort("d")] });
  const { ports } = grantNetwork(ask, space({ busy: (p) => p <= 20_004 }));
  expect(ports.map((p) => p.Value)).toEqual([20_000, 20_005]);
});

test("dynamic ports never collide and are always in range, down to the last free one", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }),
      fc.uniqueArray(fc.integer({ min: 20_000, max: 20_049 }), { maxLength: 40 }),
      (draws, taken) => {
        let draw = 0;
        const where = space({ max: 20_049, taken: (p) => taken.includes(p), random: () => draws[draw++ % draws.length] ?? 0 });
        const wanted = 50 - taken.length;
        const { ports } = grantNetwork(aNetwork({ DynamicPorts: Array.from({ length: wanted }, (_, i) => aPort(`p${i}`)) }), where);
        const values = ports.map((p) => p.Value);
        expect(new Set([...values, ...taken]).size).toBe(50);
        expect(values.every((p) => p >= 20_000 && p <= 20_049)).toBe(true);
      },
    ),
  );
});
