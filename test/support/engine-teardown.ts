import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** After all tests: ends the engine that a test has started. */
export default function tearDown(): void {
  const dir = process.env.TEST_ENGINE_DIR;
  if (!dir || !existsSync(dir)) return;
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "../../.ci/scripts/engine.mjs"), "stop", dir], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the tests' engine could not be ended: ${stderr}`);
}
