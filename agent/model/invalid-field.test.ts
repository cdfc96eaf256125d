import fc from "fast-check";
import { describe as describeValue, InvalidField } from "./invalid-field.js";

test("a refusal names the field, what was given and what is accepted", () => {
  const error = new InvalidField("Job.TaskGroups[0].Count", -1, "a whole number of 0 or more");
  expect(error.message).toBe("Job.TaskGroups[0].Count: got -1, want a whole number of 0 or more");
  expect(error.path).toBe("Job.TaskGroups[0].Count");
});

test.each<[unknown, string]>([
  [undefined, "nothing"],
  [null, "null"],
  ["x", '"x"'],
  ["a\0b", '"a\\u0000b"'],
  [12345678901234567890n, "12345678901234567890"],
  [{ a: [1, 2n] }, '{"a":[1,"2"]}'],
  [Number.NaN, "null"],
])("%p is shown as %s", (given, text) => expect(describeValue(given)).toBe(text));

test("whatever is given, however long or deep, is shown in a line", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  const long = ["x".repeat(10_000_000), 10n ** 1_000n, Array.from({ length: 100_000 }, () => ({})), deep];
  for (const given of [...long, long]) expect(describeValue(given).length).toBeLessThanOrEqual(80);
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true }), (given) => expect(describeValue(given).length).toBeLessThanOrEqual(80)),
  );
});
