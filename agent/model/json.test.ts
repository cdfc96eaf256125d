import fc from "fast-check";
import { encodeJson, JsonSyntaxError, parseJson, prettyJson } from "./json.js";

/** JSON values with whole numbers of any size. */
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.string(),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 200n }),
    fc.bigInt({ min: -(2n ** 200n), max: -(2n ** 53n) }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4 }),
  ),
})).value;

describe("parseJson", () => {
  test.each([
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", 9007199254740993n],
    ["-9007199254740993", -9007199254740993n],
    ["1795447296731073867", 1795447296731073867n],
    ['{"a":[1795447296731073867,1.5,-2]}', { a: [1795447296731073867n, 1.5, -2] }],
    ['{"a":"1795447296731073867"}', { a: "1795447296731073867" }],
    ["1e3", 1000],
  ])("reads %s digit for digit", (text, value) => expect(parseJson(text)).toEqual(value));

  test.each(["", "{", '{"a" 1}', "[1,]", '{"a":1} x', "nope", '{"a":12345678901234567890', '{"a" 12345678901234567890}'])(
    "%j is refused as a syntax error",
    (text) => {
      expect(() => parseJson(text)).toThrow(JsonSyntaxError);
      expect(() => parseJson(text)).toThrow(/position|end|JSON|value/i);
    },
  );

  test.each(["1e400", "[-1E+0400]", `{"a": 1.5e309}`, `[${"9".repeat(400)}.5]`])("%s, which no double holds, is refused", (text) => {
    expect(() => parseJson(text)).toThrow(JsonSyntaxError);
  });

  test("an exponent that a double holds is a number", () => {
    expect(parseJson('[1e300,1E-400,"1e400",1e16]')).toEqual([1e300, 0, "1e400", 1e16]);
  });

  test.each([0, 12345678901234567890n])("of two members of one name the last counts, beside %s too", (beside) => {
    expect(parseJson(`{"a":1,"a":2,"b":${beside}}`)).toEqual({ a: 2, b: beside });
  });

  test.each([
    ["short numbers", "1"],
    ["long numbers", "12345678901234567890"],
  ])("what is nested too deeply is refused and told as such, with %s", (_, inner) => {
    const nested = (levels: number): string => "[".repeat(levels) + inner + "]".repeat(levels);
    expect(() => parseJson(nested(100_000))).toThrow(/nested too deeply/);
    expect(() => parseJson(`{"a":`.repeat(1_000))).toThrow(JsonSyntaxError);
    expect(encodeJson(parseJson(nested(150)))).toBe(nested(150));
  });

  test("brackets within strings are no nesting", () => {
    const text = `["${"[{".repeat(500)}\\"[","\\\\"]`;
    expect(encodeJson(parseJson(text))).toBe(text);
  });

  test.each([1, 12345678901234567890n])("__proto__ is a member like any other, beside %s too", (beside) => {
    const value = parseJson(`{"__proto__":{"polluted":true},"b":${beside}}`) as Record<string, unknown>;
    expect(value.polluted).toBeUndefined();
    expect(Object.keys(value)).toEqual(["__proto__", "b"]);
  });

  test("gives back whatever was encoded", () => {
    fc.assert(fc.property(json, (value) => expect(parseJson(encodeJson(value))).toEqual(value)));
  });
});

describe("encodeJson", () => {
  test("writes bigints as digits and leaves undefined members out", () => {
    expect(encodeJson({ a: 1n, b: undefined, c: [2n ** 70n] })).toBe('{"a":1,"c":[1180591620717411303424]}');
    expect(encodeJson({ a: undefined, b: 1 })).toBe('{"b":1}');
    expect(encodeJson(undefined)).toBe("null");
  });
});

describe("prettyJson", () => {
  test("indents with four spaces and ends the line", () => {
    expect(prettyJson('{"a":[1,{"b":null}],"c":{},"d":[],"e":"x"}')).toBe(
      '{\n    "a": [\n        1,\n        {\n            "b": null\n        }\n    ],\n    "c": {},\n    "d": [],\n    "e": "x"\n}\n',
    );
  });

  test("is what JSON.stringify makes of it, with every digit kept", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(prettyJson(JSON.stringify(value))).toBe(`${JSON.stringify(value, null, 4)}\n`);
      }),
    );
    expect(prettyJson("[1795447296731073867]")).toBe("[\n    1795447296731073867\n]\n");
    const long = JSON.stringify(["\\".repeat(1_000_000), "x".repeat(8_000_000)]);
    expect(prettyJson(long)).toHaveLength(long.length + "\n    \n    \n\n".length);
    expect(prettyJson('["\\"[{,:}]\\\\"]')).toBe('[\n    "\\"[{,:}]\\\\"\n]\n');
  });
});
