import fc from "fast-check";
import { matchesGlob, NameRules } from "./glob.js";

test.each([
  ["default", "default", true],
  ["default", "default2", false],
  ["*", "", true],
  ["*", "anything", true],
  ["prod-*", "prod-web", true],
  ["prod-*", "prod", false],
  ["*-web", "prod-web", true],
  ["a*a", "a", false],
  ["a*a", "aa", true],
  ["a*b*c", "a-b-c", true],
  ["a*b*c", "a-c-b", false],
  ["a*bc*c", "abc", false],
  ["**", "x", true],
  ["a.c", "abc", false],
])("%j for %j: %j", (pattern, name, expected) => {
  expect(matchesGlob(pattern, name)).toBe(expected);
});

const text = fc.string({ unit: fc.constantFrom("a", "b", "-", "*"), maxLength: 8 });
const name = fc.string({ unit: fc.constantFrom("a", "b", "-"), maxLength: 12 });

test("it agrees with a regular expression", () => {
  fc.assert(
    fc.property(text, name, (pattern, of) => {
      expect(matchesGlob(pattern, of)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(of));
    }),
  );
});

test("a pattern made to be slow is not", () => {
  const started = performance.now();
  expect(matchesGlob("a*".repeat(60), `${"a".repeat(59)}b`)).toBe(false);
  expect(performance.now() - started).toBeLessThan(1_000);
});

test("the exact name wins, then the pattern with the most characters of its own, then the first by name", () => {
  const rules = new NameRules(new Map(["*", "prod-*", "prod-api-*", "prod-api-1", "*-api-*"].map((pattern) => [pattern, pattern])));
  expect(["prod-api-1", "prod-api-2", "prod-web", "dev-api-1", "dev"].map((of) => rules.find(of))).toEqual([
    "prod-api-1",
    "prod-api-*",
    "prod-*",
    "*-api-*",
    "*",
  ]);
  expect(
    new NameRules(
      new Map([
        ["b*", 1],
        ["*b", 2],
      ]),
    ).find("bb"),
  ).toBe(2);
});
