import fc from "fast-check";
import { compareVersions, parseVersion, parseVersionConstraint, satisfiesVersion, type Version } from "./version.js";

const holds = (version: string, constraint: string, flavour: "version" | "semver" = "version"): boolean | undefined => {
  const [v, c] = [parseVersion(version, flavour), parseVersionConstraint(constraint, flavour)];
  return v && c && satisfiesVersion(v, c);
};

test.each<[string, string, boolean]>([
  ["1.2.3", ">= 1.2", true],
  ["1.2", "1.2.0", true],
  ["v1.2", "= 1.2", true],
  ["1.10.0", "> 1.9", true],
  ["1.2.3.4", "> 1.2.3", true],
  ["2.0.0", ">= 1.0, < 2.0", false],
  ["1.9.9", ">= 1.0, < 2.0", true],
  ["1.2.3", "!= 1.2.3", false],
  ["1.2.9", "~> 1.2.3", true],
  ["1.3.0", "~> 1.2.3", false],
  ["1.9.0", "~> 1.2", true],
  ["2.0.0", "~> 1.2", false],
  ["1.2.2", "~> 1.2.3", false],
  ["7", "~> 3", true],
  ["1.7.0-beta", ">= 1.6.1", false],
  ["1.7.0-beta.2", ">= 1.7.0-beta.1", true],
  ["1.8.0-beta", ">= 1.7.0-beta", false],
  ["1.7.0", ">= 1.7.0-beta", true],
  ["1.2.3-rc1", "~> 1.2.3-beta", true],
  ["1.2.4", "~> 1.2.3-beta", false],
  ["2.0.6-dev", ">= 1.10", false],
  ["2.0.6-dev", "!= 1.10", true],
  ["99999999999999999999.1", "> 99999999999999999998.9", true],
])("version %s satisfies %s: %p", (version, constraint, want) => {
  expect(holds(version, constraint)).toBe(want);
});

test.each<[string, string, boolean]>([
  ["1.7.0-beta", ">= 1.6.1", true],
  ["1.0.0-alpha.beta", "> 1.0.0-alpha.1", true],
  ["1.0.0-rc.1", "< 1.0.0", true],
  ["1.0.0-beta.11", "> 1.0.0-beta.2", true],
  ["1.0.0+build", "= 1.0.0", true],
])("semver %s satisfies %s: %p", (version, constraint, want) => {
  expect(holds(version, constraint, "semver")).toBe(want);
});

test("what is none is told", () => {
  for (const text of ["", "a", "1.", "1..2", "-1", "1 2"]) expect(parseVersion(text)).toBeUndefined();
  for (const text of ["", "> ", "=> 1", "1,", "~ 1"]) expect(parseVersionConstraint(text)).toBeUndefined();
  expect(parseVersionConstraint("~> 1.2", "semver")).toBeUndefined();
  // The reference takes a prerelease without a hyphen only where it is no semantic version.
  expect([parseVersion("1.2beta"), parseVersion("1.2beta", "semver")].map(Boolean)).toEqual([true, false]);
});

const version = fc
  .record({
    segments: fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
    pre: fc.constantFrom("", "-a", "-a.1", "-a.2", "-a.10", "-b", "-1"),
  })
  .map(({ segments, pre }) => parseVersion(`${segments.join(".")}${pre}`) as Version);

test("the order is one: reflexive, antisymmetric and transitive", () => {
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(compareVersions(a, a)).toBe(0);
      expect(Math.sign(compareVersions(a, b))).toBe(0 - Math.sign(compareVersions(b, a)));
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
    }),
    { numRuns: 1_000 },
  );
});
