import fc from "fast-check";
import { InterpolationError, interpolateConfig, interpolateText, type Lookup, nodeLookup, taskLookup } from "./interpolate.js";
import type { Node } from "./node.js";

const node = {
  ID: "n-1",
  Name: "host-1",
  Datacenter: "dc1",
  NodeClass: "big",
  NodePool: "default",
  Attributes: { "kernel.name": "linux" },
  Meta: { rack: "r7" },
} as unknown as Node;
const lookup = taskLookup({ NOMAD_TASK_NAME: "t", "dotted.name": "d", EMPTY: "", constructor: "c" }, nodeLookup(node, "global"));

describe("plain texts", () => {
  test.each([
    ["${NOMAD_TASK_NAME}-${dotted.name}", "t-d"],
    ["${attr.kernel.name} ${meta.rack} ${node.attr.kernel.name} ${node.meta.rack}", "linux r7 linux r7"],
    [
      "${node.unique.id} ${node.unique.name} ${node.datacenter} ${node.region} ${node.class} ${node.pool}",
      "n-1 host-1 dc1 global big default",
    ],
    ["${EMPTY}|", "|"],
    ["${NOPE} ${attr.nope} ${meta.toString} ${node.nope}", "${NOPE} ${attr.nope} ${meta.toString} ${node.nope}"],
    ["$HOME ${ X } ${X:-y} $${NOMAD_TASK_NAME}", "$HOME ${ X } ${X:-y} $t"],
  ])("%j becomes %j", (text, wanted) => {
    expect(interpolateText(text, lookup)).toBe(wanted);
  });
});

describe("a driver's config", () => {
  const shell = [
    'trap "echo got-usr1" USR1; while true; do sleep 0.1; done',
    "n=$((n+3)); echo $(date) $$ $! $? $1 $HOME '$x' \"$y\"",
    "awk '{ print $1 }'; f() { echo }; }; curl -w '%{http_code}' x",
    'for n in 0 1 2; do ln -s "$L/t.stdout.$((n+3))"; done; set -- $(cat /proc/$$/stat)',
    "}{ $ { }",
  ];
  test.each(shell)("shell syntax without braces passes untouched: %j", (script) => {
    expect(interpolateConfig({ args: ["-c", script] }, lookup)).toEqual({ args: ["-c", script] });
  });

  test.each([
    ["${NOMAD_TASK_NAME}", "t"],
    ["${ NOMAD_TASK_NAME }", "t"],
    ['${env["NOMAD_TASK_NAME"]}', "t"],
    ["${env.NOMAD_TASK_NAME}", "t"],
    ['${attr["kernel.name"]}', "linux"],
    ["$${NOMAD_TASK_NAME}", "${NOMAD_TASK_NAME}"],
    ["$${HOME:-/root}", "${HOME:-/root}"],
    ["$$${NOMAD_TASK_NAME}", "$${NOMAD_TASK_NAME}"],
    ["%%{http_code}", "%{http_code}"],
    ["$${a}${NOMAD_TASK_NAME}$${b}", "${a}t${b}"],
  ])("%j becomes %j", (text, wanted) => {
    expect(interpolateConfig({ a: [{ b: text }] }, lookup)).toEqual({ a: [{ b: wanted }] });
  });

  test.each([
    ["echo ${NOPE}", 'There is no variable named "NOPE"'],
    ['${env["NOPE"]}', 'There is no variable named "env.NOPE"'],
    ["${attr.nope}", 'There is no variable named "attr.nope"'],
    ["${HOME:-/root}", '"${HOME:-/root}" is no reference; write $${HOME:-/root}'],
    ["${#x}", '"${#x}" is no reference'],
    ["${}", '"${}" is no reference'],
    ["echo ${x", '"${x" has no closing brace'],
  ])("%j is refused, with what it refers to", (text, message) => {
    const attempt = (): unknown => interpolateConfig({ args: [text] }, lookup);
    expect(attempt).toThrow(InterpolationError);
    expect(attempt).toThrow(message);
  });

  test("what is no text stays as it is, keys too", () => {
    const config = { "${x}": 1, b: true, n: null, big: 2n ** 60n, list: [1, [2]] };
    expect(interpolateConfig(config, lookup)).toEqual(config);
  });

  test("a text that was escaped comes back as it was", () => {
    const escaped = (text: string): string => text.replaceAll("${", () => "$${").replaceAll("%{", "%%{");
    const nothing: Lookup = () => undefined;
    const text = fc.string({ unit: fc.constantFrom("$", "{", "}", "%", "a", "\n") });
    fc.assert(fc.property(text, (given) => interpolateConfig(escaped(given), nothing) === given));
  });
});
