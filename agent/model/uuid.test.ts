import fc from "fast-check";
import { checkUuid, checkUuidPrefix, InvalidUuid, isUuid } from "./uuid.js";

const ID = "56e9983c-28bd-46b1-65bb-78db4a04a9b9";

describe("checkUuid", () => {
  test("gives the id in lower case", () => {
    expect(checkUuid(ID.toUpperCase())).toBe(ID);
    expect(isUuid(ID)).toBe(true);
  });

  test.each([
    ["", "alloc lookup failed: index error: UUID must be 36 characters"],
    ["56e9983c", "alloc lookup failed: index error: UUID must be 36 characters"],
    [`${ID}0`, "alloc lookup failed: index error: UUID must be 36 characters"],
    ["0".repeat(31) + "-".repeat(5), 'alloc lookup failed: index error: UUID should have maximum of 4 "-"; got 5'],
    [`${"0".repeat(33)}---`, "alloc lookup failed: index error: Input (without hyphens) must be even length"],
    [ID.replace("5", "z"), "alloc lookup failed: index error: Invalid UUID: encoding/hex: invalid byte: U+007A 'z'"],
  ])("%j is refused: %s", (id, text) => {
    expect(() => checkUuid(id)).toThrow(InvalidUuid);
    expect(() => checkUuid(id)).toThrow(new InvalidUuid(text.replace("alloc lookup failed: index error: ", "")).message);
    expect(new InvalidUuid(text.replace("alloc lookup failed: index error: ", "")).message).toBe(text);
  });

  test.each(["56e9983c28bd-46b1-65bb-78db4a04a9b9-", "-".repeat(36)])("hyphens in wrong places are refused: %s", (id) => {
    expect(() => checkUuid(id)).toThrow(InvalidUuid);
  });
});

describe("checkUuidPrefix", () => {
  test.each([
    ["", ""],
    ["56", "56"],
    ["56E9983C", "56e9983c"],
    ["56e9983c-", "56e9983c"],
    ["56e9983c28", "56e9983c-28"],
    ["5-6e-9", "56e9"],
    [ID, ID],
  ])("%j is %j", (given, prefix) => expect(checkUuidPrefix(given)).toBe(prefix));

  test.each([
    ["abc", "Input (without hyphens) must be even length"],
    ["zz", "Invalid UUID: encoding/hex: invalid byte: U+007A 'z'"],
    ["a-b-c-d-e-f", 'UUID should have maximum of 4 "-"; got 5'],
    ["0".repeat(38), "Invalid UUID length. UUID have 36 characters; got 38"],
  ])("%j is refused: %s", (prefix, reason) => {
    expect(() => checkUuidPrefix(prefix)).toThrow(new InvalidUuid(reason).message);
  });

  test("every start of an id that is whole bytes finds it", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 0, max: 16 }), (id, bytes) => {
        const digits = id.replaceAll("-", "").slice(0, bytes * 2);
        expect(id.startsWith(checkUuidPrefix(digits.toUpperCase()))).toBe(true);
      }),
    );
  });
});
