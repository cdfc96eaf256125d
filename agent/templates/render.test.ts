import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { Dependency } from "./dependency.js";
import { TemplateExecError, TemplateLimitError, TemplateSyntaxError } from "./go/errors.js";
import { GoMap, GoStruct, type Value } from "./go/values.js";
import { defaultDelimiters, parseTemplate, type RenderScope, render } from "./render.js";

interface Case {
  readonly template: string;
  readonly strict?: boolean;
  readonly left?: string;
  readonly right?: string;
  /** What Go writes; in hexadecimal digits where it is no UTF-8. Neither: Go refuses the template. */
  readonly output?: string;
  readonly hex?: string;
}

const scope: RenderScope = {
  env: { A: "alpha", E: "" },
  namespace: "default",
  region: "global",
  missingKeyIsError: false,
  limits: { steps: 20_000, bytes: 100_000 },
  now: () => 1_136_214_245_123_456_789n,
  recall: () => undefined,
};

function text(template: string, more: Partial<RenderScope> = {}, denied: readonly string[] = []): string {
  return render(parseTemplate(Buffer.from(template), { delimiters: defaultDelimiters, denied }), { ...scope, ...more }).content.toString();
}

// Made with Go's text/template and the reference's own functions.
const cases = JSON.parse(readFileSync(join(import.meta.dirname, "testing/go-outputs.json"), "utf8")) as readonly Case[];

test.each(cases.map((one) => [one.template, one] as const))("as in Go: %s", (template, { strict, left, right, output, hex }) => {
  const delimiters = left && right ? { left, right } : defaultDelimiters;
  const rendered = (): Buffer =>
    render(parseTemplate(Buffer.from(template), { delimiters, denied: [] }), { ...scope, missingKeyIsError: strict === true }).content;
  if (output === undefined && hex === undefined) expect(rendered).toThrow(/template: :\d+/);
  else expect(rendered().toString("hex")).toBe(hex ?? Buffer.from(output ?? "").toString("hex"));
});

test.each([
  ['{{ key "a" }}', /:1: function "key" is not supported: there is no Consul/],
  ['\n\n{{ with secret "a" }}{{ end }}', /:3: function "secret" is not supported: there is no Vault/],
  ['{{ service "web" }}', /"service" is not supported/],
  ['{{ sockaddr "x" }}', /"sockaddr" is not supported/],
  ['{{ plugin "x" }}', /"plugin" is not supported: it acts on the host/],
  ["{{ sprig_upper }}", /"sprig_upper" is not supported: functions of Sprig/],
  ["{{ call .f }}", /"call" is not supported/],
  ["{{ 1i }}", /complex numbers are not supported/],
  ["{{ unheardOf }}", /function "unheardOf" not defined/],
])("%j is refused by name", (template, message) => {
  expect(() => text(template)).toThrow(TemplateSyntaxError);
  expect(() => text(template)).toThrow(message);
});

test.each([
  ['{{ printf "%T" 1 }}', /%T is not supported/],
  ['{{ printf "%#v" 1 }}', /%#v is not supported/],
  ['{{ printf "%x" 1.5 }}', /%x of a float64 is not supported/],
  ["{{ loop 3 }}", /a loop can not be printed/],
  ['{{ parseYAML "1: a" }}', /the key 1 is no string/],
  ['{{ parseYAML "a: !thing b" }}', /not supported|Unresolved tag/],
  ['{{ toUpper "\\xff" }}', /bytes that are no UTF-8/],
  ['{{ nomadService "a@elsewhere" }}', /got region "elsewhere", want "global"/],
])("%j fails rather than to write something else", (template, message) => {
  expect(() => text(template)).toThrow(TemplateExecError);
  expect(() => text(template)).toThrow(message);
});

test("a function that the operator denies is refused", () => {
  expect(() => text('{{ "a" | toUpper }}', {}, ["to*"])).toThrow(/function "toUpper" is disabled/);
  expect(text('{{ "a" | print }}', {}, ["to*"])).toBe("a");
});

test.each([
  ["{{ timestamp }}", "2006-01-02T15:04:05Z"],
  ['{{ timestamp "unix" }}', "1136214245"],
  ['{{ timestamp "Mon Jan _2 15:04:05.000 MST 2006" }}', "Mon Jan  2 15:04:05.123 UTC 2006"],
  ['{{ timestamp "Monday, January 02 06 3:04PM -0700 002 Z07:00 .999999999" }}', "Monday, January 02 06 3:04PM +0000 002 Z .123456789"],
])("%s", (template, expected) => {
  expect(text(template)).toBe(expected);
});

test("what is not there yet is told by the reference's name, and rendering goes on to find all of it", () => {
  const template =
    '{{ with nomadVar "nomad/jobs" }}{{ .a }}{{ end }}{{ range nomadService "web" }}{{ .Port }}{{ end }}{{ nomadVarExists "x@ns" }}';
  const { missing, used } = render(parseTemplate(Buffer.from(template), { delimiters: defaultDelimiters, denied: [] }), scope);
  expect(missing).toEqual(["nomad.var.block(nomad/jobs@default.global)", "nomad.service(web)", "nomad.var.get(x@ns.global)"]);
  expect([...used.values()].map(({ kind }) => kind)).toEqual(["variable", "service", "variable"]);
});

test("an error does not tell what a variable holds", () => {
  const item = new GoStruct("dependency.NomadVarItem", new Map([["Value", "hunter2"]]), new Map(), "hunter2");
  const recall = (dependency: Dependency): Value | undefined =>
    dependency.kind === "variable" ? new GoMap(new Map([["pw", item]])) : undefined;
  expect(() => text('{{ with nomadVar "p" }}{{ parseInt .pw.Value }}{{ end }}', { recall })).toThrow(/parsing "\[redacted\]"/);
});

test.each([
  ["endless steps", "{{ range loop 1000000000 }}{{ end }}", /more than 20000 steps/],
  ["a template that calls itself", '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', /more than 200 levels deep/],
  ["a string that doubles", '{{ $x := "aaaaaaaa" }}{{ range loop 100 }}{{ $x = printf "%s%s" $x $x }}{{ end }}', /more than 100000 bytes/],
  ["much output", '{{ range loop 10000 }}{{ "0123456789abcdef" }}{{ end }}', /more than 100000 bytes/],
  ["values within values", `{{ parseJSON "${"[".repeat(50_000)}${"]".repeat(50_000)}" }}`, /nested too deeply|parseJSON/],
])("%s meets a limit", (_what, template, message) => {
  expect(() => text(template)).toThrow(message);
});

test("a wide field is refused", () => {
  expect(() => text('{{ printf "%999999999d" 1 }}')).toThrow(/at most 10000/);
});

test("parentheses and blocks that nest without end are refused, and not by a stack overflow", () => {
  expect(() => text(`{{ ${"(".repeat(5_000)}1${")".repeat(5_000)} }}`)).toThrow(/nested more than 200 levels/);
  expect(() => text("{{ if true }}".repeat(5_000) + "{{ end }}".repeat(5_000))).toThrow(/nested more than 200 levels/);
});

const piece = fc.constantFrom(
  ...[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "$x",
    ":=",
    "=",
    "|",
    "(",
    ")",
  ],
  ...[
    ".",
    ".a",
    '"s"',
    "`r`",
    "'c'",
    "1",
    "-2.5",
    "nil",
    "true",
    "printf",
    "index",
    "loop",
    "parseJSON",
    "eq",
    "and",
    " ",
    "\n",
    "/*",
    "*/",
    "text",
    ",",
  ],
);

test("whatever the template is, it is rendered or refused with an error that is made for people", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 30 }), (pieces) => {
      try {
        text(pieces.join(" "));
      } catch (error) {
        const isExpected =
          error instanceof TemplateSyntaxError || error instanceof TemplateExecError || error instanceof TemplateLimitError;
        if (!isExpected) throw error;
      }
    }),
    { numRuns: 3_000 },
  );
});

test("bytes between actions stay as they are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const given = Buffer.from(bytes.filter((byte) => byte !== 0x7b));
      expect(render(parseTemplate(given, { delimiters: defaultDelimiters, denied: [] }), scope).content).toEqual(given);
    }),
  );
});
