import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadConfig } from "./load.js";
import { publishedFiles } from "./published.js";
import { settings } from "./settings.js";

const top = resolve(import.meta.dirname, "../..");

test.each(Object.keys(publishedFiles()))("%s is what the schema says; `npm run config` writes it", (name) => {
  expect(readFileSync(join(top, name), "utf8")).toBe(publishedFiles()[name]);
});

test("the example is the defaults", () => {
  expect(loadConfig({ file: join(top, "config.example.json") })).toEqual(loadConfig({}));
});

test("every setting says what it means, and no two share a variable", () => {
  const all = settings();
  expect(all.filter(({ schema }) => !schema.description || schema.default === undefined)).toEqual([]);
  expect(new Set(all.map((s) => s.variable)).size).toBe(all.length);
});
