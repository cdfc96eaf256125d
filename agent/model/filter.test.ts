import fc from "fast-check";
import { compileFilter, FilterError } from "./filter.js";

const subject = {
  ID: "56e9983c",
  Name: "web.g[0]",
  Version: "1.2.beta",
  Quoted: 'say "x"',
  JobID: "web",
  ClientStatus: "running",
  Empty: "",
  None: null,
  CreateIndex: 14,
  CreateTime: 1795447296731073867n,
  Ratio: 0.5,
  Healthy: true,
  Tags: ["a", "b"],
  NoTags: [],
  Job: {
    Type: "service",
    Priority: 50,
    Meta: { owner: "kit", "a-b": "c", "x/y": "z" },
    TaskGroups: [
      { Name: "g", Count: 1 },
      { Name: "h", Count: 2 },
    ],
  },
  TaskStates: { t: { State: "running", Failed: false }, u: { State: "dead", Failed: true } },
};

describe("compileFilter", () => {
  test.each([
    ['JobID == "web"', true],
    ["JobID == web", true],
    ["JobID == `web`", true],
    ["Version == 1.2.beta", true],
    ["Job.Meta.x/y == z", true],
    ['Quoted == "say \\"x\\""', true],
    ["CreateIndex < 15", true],
    ["CreateIndex <= 13", false],
    ["CreateIndex >= x", false],
    ["CreateIndex <= x", false],
    ["CreateIndex == x", false],
    ['CreateIndex == " 14"', false],
    ["CreateTime > 1795447296731073866", true],
    ["CreateTime >= 1795447296731073868", false],
    ["Ratio > 0.4", true],
    ["JobID < x", true],
    ['JobID != "web"', false],
    ['Job.Type == "service"', true],
    ['Job.Meta["a-b"] == "c"', true],
    ['"/Job/Meta/owner" == "kit"', true],
    ['"/Job/Meta/x~1y" == "z"', true],
    ["CreateIndex == 14", true],
    ['CreateIndex == "14"', true],
    ["CreateIndex != 15", true],
    ["CreateTime == 1795447296731073867", true],
    ["CreateTime == 1795447296731073868", false],
    ["Ratio == 0.5", true],
    ["Healthy == true", true],
    ["Healthy == false", false],
    ['"web" in Name', true],
    ['"x" not in Name', true],
    ['"a" in Tags', true],
    ['"c" not in Tags', true],
    ['Tags contains "b"', true],
    ['Tags not contains "b"', false],
    ['"owner" in Job.Meta', true],
    ['TaskStates contains "t"', true],
    ["Empty is empty", true],
    ["NoTags is empty", true],
    ["None is empty", true],
    ["Tags is not empty", true],
    ["Job.Meta.nothing is empty", true],
    ['Name matches "^web\\\\.g\\\\[[0-9]+\\\\]$"', true],
    ["Name matches `^web\\.g\\[\\d+\\]$`", true],
    ['Name not matches "^x"', true],
    ['JobID == "web" and ClientStatus == "running"', true],
    ['JobID == "web" and ClientStatus == "dead"', false],
    ['JobID == "x" or ClientStatus == "running"', true],
    ['not JobID == "web"', false],
    ['not (JobID == "x" or JobID == "y") and Healthy == true', true],
    ['JobID == "x" and JobID == "y" or JobID == "web"', true],
    ['any Tags as tag { tag == "b" }', true],
    ['all Tags as tag { tag == "b" }', false],
    ['any Tags as i, tag { i == 1 and tag == "b" }', true],
    ["all NoTags as tag { tag == x }", true],
    ["any Job.TaskGroups as g { g.Count == 2 }", true],
    ['any TaskStates as name { name == "u" }', true],
    ["any TaskStates as name, state { state.Failed == true }", true],
    ['all TaskStates as _, state { state.State != "pending" }', true],
    ["any Job.TaskGroups as g { any Tags as tag { g.Count == 2 and tag == a } }", true],
    ["TaskStates.t.State == running", true],
  ])("%s is %s", (expression, expected) => expect(compileFilter(expression)(subject)).toBe(expected));

  test("a member of a null is absent, not a mistake", () => {
    const holds = compileFilter('DeploymentStatus.Healthy == "true"');
    expect(holds({ DeploymentStatus: null })).toBe(false);
    expect(holds({ DeploymentStatus: { Healthy: true } })).toBe(true);
  });

  test.each([
    ["", "1:1 (0): no match found"],
    ["foo", "1:4 (3): no match found"],
    ["banana ==", "1:10 (9): no match found"],
    ['JobID == "web" and', "no match found"],
    ['JobID == "web" JobID', "no match found"],
    ['(JobID == "web"', "no match found"],
    ['JobID == "web', "no match found"],
    ["any Tags { x == 1 }", "no match found"],
    ["JobID @ x", "no match found"],
    [`${"(".repeat(200)}JobID == x`, "at most"],
    [`JobID == "${"x".repeat(5_000)}"`, "at most"],
    ['Name matches "("', "failed to read filter expression"],
  ])("%j is refused and told where", (expression, text) => {
    expect(() => compileFilter(expression)).toThrow(FilterError);
    expect(() => compileFilter(expression)).toThrow("failed to create result paginator: failed to read filter expression");
    expect(() => compileFilter(expression)).toThrow(text);
  });

  test("a member that no object has is told in the reference's words", () => {
    expect(() => compileFilter("Nope == 1")(subject)).toThrow(
      new FilterError(
        'failed to read result page: error finding value in datum: /Nope at part 0: couldn\'t find key: struct field with name "Nope"',
      ),
    );
  });

  test.each(["constructor", "__proto__", "toString"])("%s is no member", (name) => {
    expect(() => compileFilter(`${name} is empty`)(subject)).toThrow(FilterError);
    expect(compileFilter(`Job.Meta.${name} is empty`)(subject)).toBe(true);
  });

  test.each(["^((a+))+$", "^(a|a)*$", "^(a|aa)+$", "a*a*a*a*a*b", ".*.*.*.*.*x"])(
    "%s, which holds a backtracking engine for minutes, is settled within the test's time",
    (pattern) => {
      expect(compileFilter(`Name matches \`${pattern}\``)({ Name: `${"a".repeat(2_000)}!` })).toBe(false);
    },
  );

  test("any and all within each other are given up before they hold the agent", () => {
    const nested = (levels: number, inner: string): string =>
      levels === 0 ? inner : `all Many as x${levels} { ${nested(levels - 1, inner)} }`;
    const many = { Many: Array.from({ length: 50 }, (_, i) => `${i}`) };
    expect(compileFilter(nested(2, "x1 != y"))(many)).toBe(true);
    const holds = compileFilter(nested(30, "x1 != y"));
    expect(() => holds(many)).toThrow(new FilterError("failed to read result page: any, all: want at most 10000 elements"));
    expect(holds({ Many: [] })).toBe(true);
  });

  test("whatever is written is a filter or a FilterError", () => {
    const word = fc.constantFrom(
      ...'JobID Tags Job.Meta Nope == != in not is empty matches contains and or any all as x { } ( ) [ ] . , "web" `a` "/Job/Meta" 1 -1 true "(" <'.split(
        " ",
      ),
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(word, { maxLength: 10 }).map((words) => words.join(" ")),
    );
    fc.assert(
      fc.property(text, (expression) => {
        try {
          expect(typeof compileFilter(expression)(subject)).toBe("boolean");
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
