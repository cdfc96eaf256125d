// Writes the files that are generated from the configuration's schema. Reads dist: build first.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { top } from "./toolchain.mjs";

const { publishedFiles } = await import(join(top, "dist/agent/config/published.js"));
for (const [name, text] of Object.entries(publishedFiles())) {
  mkdirSync(dirname(join(top, name)), { recursive: true });
  writeFileSync(join(top, name), text);
}
