// npm test: sets up what is missing, then runs every check there is. All of them run, so that one run tells everything.
import { spawn } from "node:child_process";
import { ensureBuild, ensureEngine, ensureModules, main, SetupError, top } from "./toolchain.mjs";

/** Minutes that a part may take. */
const limits = { check: 5, unit: 8, integration: 18 };

await main(async () => {
  ensureModules();
  ensureEngine();
  const built = builds();
  const failed = built ? [] : ["build"];
  for (const part of built ? ["check", "unit", "integration"] : ["check"]) {
    if (!(await passes(part))) failed.push(part);
  }
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

/** In a process group of its own, so that all of it ends when it takes too long or is interrupted. */
function passes(part) {
  console.log(`\n── npm run ${part}`);
  const started = Date.now();
  const child = spawn("npm", ["run", "--silent", part], { cwd: top, stdio: ["ignore", "inherit", "inherit"], detached: true });
  const end = () => process.kill(-child.pid, "SIGKILL");
  const interrupt = (signal) => {
    end();
    process.kill(process.pid, signal);
  };
  const timer = setTimeout(end, limits[part] * 60_000);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, interrupt);
  return new Promise((done) => {
    child.once("exit", (code) => {
      clearTimeout(timer);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(signal, interrupt);
      console.log(`── ${part}: ${code === 0 ? "passed" : "FAILED"} after ${((Date.now() - started) / 1000).toFixed(1)} s`);
      done(code === 0);
    });
  });
}
