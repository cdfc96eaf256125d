import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const top = resolve(import.meta.dirname, "../..");
const rooms = ["agent", "drivers", "api", "cli", "ui", "test", "bench", "bin", ".ci", "packaging", "docs", "examples"];
// Split, so that this file does not find itself.
const unfinished = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b|not ${"implemented"}`);

function* filesBelow(path: string): Generator<string> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) yield path;
  if (stat?.isDirectory()) for (const name of readdirSync(path)) yield* filesBelow(join(path, name));
}

test("no file has a note of unfinished work", () => {
  const found = rooms.flatMap((room) =>
    [...filesBelow(join(top, room))].flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .flatMap((line, i) => (unfinished.test(line) ? [`${relative(top, file)}:${i + 1}: ${line.trim()}`] : [])),
    ),
  );
  expect(found).toEqual([]);
});

test("every TypeScript file of the rooms has a name in kebab case", () => {
  const odd = rooms.flatMap((room) =>
    [...filesBelow(join(top, room))].filter(
      (file) => file.endsWith(".ts") && !/^[a-z0-9-]+(\.test)?\.ts$/.test(relative(join(file, ".."), file)),
    ),
  );
  expect(odd).toEqual([]);
});
