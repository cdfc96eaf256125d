import { constants } from "node:os";
import fc from "fast-check";
import { parseSignal, signalNumbers } from "./signals.js";

test("the numbers are those of this system", () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    if (name in signalNumbers) expect([name, signalNumbers[name as keyof typeof signalNumbers]]).toEqual([name, number]);
  }
});

test("a name is known in any case, with or without SIG", () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(signalNumbers)), fc.boolean(), fc.boolean(), (name, bare, lower) => {
      const given = bare ? name.slice(3) : name;
      return parseSignal(lower ? given.toLowerCase() : given) === name;
    }),
  );
});

test.each([
  "",
  "SIG",
  "1",
  "9",
  "SIGNOPE",
  "HUP ",
  "SIGSIGHUP",
  "toString",
  "SIG__proto__",
  "constructor",
  null,
  undefined,
  9,
  ["SIGHUP"],
  {},
])("%p is none", (given) => {
  expect(parseSignal(given)).toBeUndefined();
});
