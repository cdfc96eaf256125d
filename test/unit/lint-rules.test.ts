import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const top = resolve(import.meta.dirname, "../..");
const ok = "export const x = 1;\n";

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "allocd-lint-"));
  for (const name of ["biome.json", ".gitignore", "package.json", "tsconfig.json"]) cpSync(join(top, name), join(tree, name));
});

afterEach(() => rmSync(tree, { recursive: true, force: true }));

/** The rules that refuse the files, each once, in alphabetical order. */
function refusedBy(files: Readonly<Record<string, string>>): readonly string[] {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), text);
  }
  const biome = spawnSync(process.execPath, [join(top, "node_modules/@biomejs/biome/bin/biome"), "lint", "--reporter=github", "."], {
    cwd: tree,
    encoding: "utf8",
  });
  const rules = [...biome.stdout.matchAll(/title=lint\/\w+\/(\w+)/g)].map((match) => match[1] ?? "");
  expect({ status: biome.status, rules: rules.length > 0 }).toEqual({ status: rules.length > 0 ? 1 : 0, rules: rules.length > 0 });
  return [...new Set(rules)].sort();
}

const importOf = (specifier: string): string => `import { x } from "${specifier}";\nexport const y = x;\n`;

test.each([
  ["cli/a.ts", "../api/b.js", "api/b.ts"],
  ["cli/a.ts", "../agent/store/b.js", "agent/store/b.ts"],
  ["api/a.ts", "../agent/store/b.js", "agent/store/b.ts"],
  ["api/fs/a.ts", "../../agent/model/b.js", "agent/model/b.ts"],
  ["agent/store/a.ts", "../../drivers/b.js", "drivers/b.ts"],
  ["agent/store/a.ts", "../model/b.js", "agent/model/b.ts"],
  ["drivers/shim/a.ts", "../../agent/model/b.js", "agent/model/b.ts"],
  ["agent/model/a.ts", "./b.js", "agent/model/b.ts"],
])("%s may import %s", (from, specifier, to) => {
  expect(refusedBy({ [from]: importOf(specifier), [to]: ok })).toEqual([]);
});

test.each([
  ["api/a.ts", "../cli/b.js", "cli/b.ts"],
  ["api/a.ts", "../ui/b.js", "ui/b.ts"],
  ["agent/store/a.ts", "../../api/b.js", "api/b.ts"],
  ["agent/a.ts", "../api/b.js", "api/b.ts"],
  ["agent/a.ts", "../cli/b.js", "cli/b.ts"],
  ["drivers/shim/a.ts", "../../agent/store/b.js", "agent/store/b.ts"],
  ["drivers/a.ts", "../agent/b.js", "agent/b.ts"],
  ["drivers/a.ts", "../api/b.js", "api/b.ts"],
  ["agent/model/a.ts", "../store/b.js", "agent/store/b.ts"],
  ["agent/model/a.ts", "../../drivers/b.js", "drivers/b.ts"],
  ["agent/a.ts", "../test/support/b.js", "test/support/b.ts"],
])("%s may not import %s", (from, specifier, to) => {
  expect(refusedBy({ [from]: importOf(specifier), [to]: ok })).toEqual(["noRestrictedImports"]);
});

test.each([
  ["a type", 'import type { X } from "../api/b.js";\nexport type Y = X;\n'],
  ["a re-export", 'export { x } from "../api/b.js";\n'],
  ["a dynamic import", 'export const y = (): Promise<unknown> => import("../api/b.js");\n'],
])("an upward import is refused as %s too", (_kind, text) => {
  expect(refusedBy({ "agent/a.ts": text, "api/b.ts": "export const x = 1;\nexport type X = number;\n" })).toEqual(["noRestrictedImports"]);
});

test("the model may not use Node", () => {
  expect(refusedBy({ "agent/model/a.ts": 'import { sep } from "node:path";\nexport const y = sep;\n' })).toEqual(["noNodejsModules"]);
});

test("a cycle over three files is refused", () => {
  const files = { "agent/a.ts": importOf("./b.js"), "agent/b.ts": importOf("./c.js"), "agent/c.ts": importOf("./a.js") };
  expect(refusedBy(files)).toEqual(["noImportCycles"]);
});

test("a cycle of types alone is refused", () => {
  const typeOf = (specifier: string): string => `import type { X } from "${specifier}";\nexport interface Y {\n  readonly x: X;\n}\n`;
  expect(refusedBy({ "agent/model/a.ts": typeOf("./b.js"), "agent/model/b.ts": typeOf("./a.js") })).toEqual(["noImportCycles"]);
});

test("400 lines are a file, 401 are two", () => {
  expect(refusedBy({ "agent/a.ts": Array.from({ length: 400 }, (_, i) => `export const x${i} = ${i};\n`).join("") })).toEqual([]);
  expect(refusedBy({ "agent/a.ts": Array.from({ length: 401 }, (_, i) => `export const x${i} = ${i};\n`).join("") })).toEqual([
    "noExcessiveLinesPerFile",
  ]);
});

test.each([
  ["any", "export const y = (x: any): unknown => x;\n", "noExplicitAny"],
  ["a switched-off type check", "// @ts-ignore\nexport const y = 1;\n", "noTsIgnore"],
  [
    "a promise that nobody looks at",
    "const f = async (): Promise<void> => {};\nexport const y = (): void => {\n  f();\n};\n",
    "noFloatingPromises",
  ],
  ["a package that is no dependency", 'import x from "left-pad";\nexport const y = x;\n', "noUndeclaredDependencies"],
])("%s is refused", (_what, text, rule) => {
  expect(refusedBy({ "agent/a.ts": text })).toEqual([rule]);
});

test.each(["skip", "only"])("a test with .%s is refused", (word) => {
  expect(refusedBy({ "agent/a.test.ts": `test.${word}("x", () => {});\n` })).toHaveLength(1);
});
