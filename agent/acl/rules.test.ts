import { rulesFrom } from "./rules.js";

const namespaceOf = (body: object) => rulesFrom({ namespace: { n: body } }).namespace[0];

test("coarse policies are written out, and write has no shell on the host", () => {
  expect(namespaceOf({ policy: "deny" })?.capabilities).toEqual(["deny"]);
  expect(namespaceOf({ policy: "read" })?.capabilities).toEqual(
    expect.arrayContaining(["list-jobs", "read-job", "parse-job", "read-job-scaling", "host-volume-read"]),
  );
  expect(namespaceOf({ policy: "read" })?.capabilities).not.toEqual(expect.arrayContaining(["read-logs"]));
  const write = namespaceOf({ policy: "write" })?.capabilities;
  expect(write).toEqual(expect.arrayContaining(["submit-job", "register-job", "alloc-exec", "alloc-lifecycle", "read-fs", "read-logs"]));
  expect(write).not.toContain("alloc-node-exec");
  expect(namespaceOf({ policy: "scale" })?.capabilities).toEqual(expect.arrayContaining(["scale-job", "read-job-scaling"]));
});

test("policy and capabilities add up; deny among them leaves nothing else; what is implied comes along", () => {
  expect(namespaceOf({ policy: "read", capabilities: ["alloc-node-exec"] })?.capabilities).toEqual(
    expect.arrayContaining(["read-job", "alloc-node-exec"]),
  );
  expect(namespaceOf({ policy: "write", capabilities: ["deny"] })?.capabilities).toEqual(["deny"]);
  expect(namespaceOf({ capabilities: ["host-volume-register"] })?.capabilities).toEqual([
    "host-volume-create",
    "host-volume-read",
    "host-volume-register",
  ]);
  const variables = namespaceOf({ variables: { path: { "a/*": { capabilities: ["read"] } } } })?.variables;
  expect(variables).toEqual([{ name: "a/*", capabilities: ["list", "read"] }]);
});

test("lists of blocks, as HCL gives them, are the same as blocks", () => {
  const plain = {
    namespace: { n: { policy: "read", variables: { path: { "a/*": { capabilities: ["list"] } } } } },
    node: { policy: "read" },
  };
  const listed = {
    namespace: [{ n: [{ policy: "read", variables: [{ path: { "a/*": [{ capabilities: ["list"] }] } }] }] }],
    node: [{ policy: "read" }],
  };
  expect(rulesFrom(listed)).toEqual(rulesFrom(plain));
});

test.each([
  [{ namespce: {} }, "Rules.namespce: got {}, want one of the known words: did you mean namespace?"],
  [{ namespace: { n: { policy: "raed" } } }, 'Rules.namespace["n"].policy: got "raed", want one of deny, read, write, scale'],
  [
    { namespace: { n: { capabilities: ["read-jobs"] } } },
    /Rules\.namespace\["n"\]\.capabilities\[0\]: got "read-jobs".*did you mean read-job\?/,
  ],
  [{ namespace: { n: { capabilities: "read-job" } } }, 'Rules.namespace["n"].capabilities: got "read-job", want a list of strings'],
  [{ namespace: { "a b": {} } }, /Rules\.namespace\["a b"\]: got "a b"/],
  [{ namespace: { n: { polcy: "read" } } }, /Rules\.namespace\["n"\]\.polcy: got "read"/],
  [{ namespace: "x" }, 'Rules.namespace: got "x", want a block'],
  [{ node: { policy: "list" } }, 'Rules.node.policy: got "list", want one of deny, read, write'],
  [{ operator: {} }, "Rules.operator.policy: got nothing, want one of deny, read, write"],
  [{ plugin: { policy: "scale" } }, 'Rules.plugin.policy: got "scale", want one of deny, list, read, write'],
  [{ namespace: { n: { variables: { path: { p: { capabilities: ["own"] } } } } } }, /variables\.path\["p"\]\.capabilities\[0\]: got "own"/],
  [{ namespace: { n: { variables: { path: { p: { policy: "read" } } } } } }, /variables\.path\["p"\]\.policy/],
  ["text", 'Rules: got "text", want a block'],
])("%j is refused by its place", (document, message) => {
  expect(() => rulesFrom(document)).toThrow(message);
});
