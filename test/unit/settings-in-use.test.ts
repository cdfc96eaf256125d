import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { settings } from "../../agent/config/settings.js";

const top = resolve(import.meta.dirname, "../..");

test("every setting is read by the agent: one that does nothing misleads", () => {
  const readers = [
    "cli/agent.ts",
    "cli/agent-parts.ts",
    "cli/docker-options.ts",
    "cli/security.ts",
    "cli/listen.ts",
    "agent/config/load.ts",
  ]
    .map((file) => readFileSync(join(top, file), "utf8"))
    .join("\n");
  const names = settings().map(({ path }) => ({ path: path.join("."), member: path.at(-1) ?? "" }));
  expect(names.filter(({ member }) => !new RegExp(`\\b${member}\\b`).test(readers)).map(({ path }) => path)).toEqual([]);
});
