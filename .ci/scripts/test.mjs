// npm test: sets up what is missing, then runs every check there is. All of them run, so that one run tells everything.
import { spawnSync } from "node:child_process";
import { ensureBuild, ensureModules, main, SetupError, top } from "./toolchain.mjs";

/** Minutes that a part may take. */
const limits = { check: 5, unit: 8, integration: 12 };

await main(() => {
  ensureModules();
  const built = builds();
  const parts = built ? ["check", "unit", "integration"] : ["check"];
  const failed = [...(built ? [] : ["build"]), ...parts.filter((part) => !passes(part))];
  if (failed.length > 0) throw new SetupError(`failed: ${failed.join(", ")}`);
  console.log("all green");
});

/** Tests start real processes from dist: without it there is nothing to test. */
function builds() {
  try {
    ensureBuild();
    return true;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    return false;
  }
}

function passes(part) {
  console.log(`\n── npm run ${part}`);
  const started = Date.now();
  const result = spawnSync("npm", ["run", "--silent", part], { cwd: top, stdio: "inherit", timeout: limits[part] * 60_000 });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`── ${part}: ${result.status === 0 ? "passed" : "FAILED"} after ${seconds} s`);
  return result.status === 0;
}
