// Builds dist: emits the sources, copies the files that are no TypeScript, and puts the result in place in one move.
import { cpSync, existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureTools, main, run, top } from "./toolchain.mjs";

const fresh = join(top, "dist.new");
const dist = join(top, "dist");
const old = join(top, "dist.old");
const launcher = "drivers/shim/allocd-launch";
const launchDir = join(top, "drivers/shim/launch");
const sources = readdirSync(launchDir)
  .filter((name) => name.endsWith(".c"))
  .map((name) => join(launchDir, name));
const isAsset = (path) => statSync(path).isDirectory() || /\.(sh|sql)$/.test(path);

const compile = (program, from) => run("cc", ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, ...from]);

await main(() => {
  const started = new Date();
  ensureTools();
  for (const dir of [fresh, old]) rmSync(dir, { recursive: true, force: true });
  run(process.execPath, [join(top, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.json", "--outDir", fresh]);
  for (const room of ["agent", "drivers", "api", "cli"]) {
    cpSync(join(top, room), join(fresh, room), { recursive: true, filter: isAsset });
  }
  compile(join(fresh, launcher), sources);
  compile(join(fresh, "api/acl/allocd-peer"), [join(top, "api/acl/allocd-peer.c")]);
  // An agent that runs from dist has its files open and finds those it loads later under the same names.
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
  // A source that was changed while this ran is newer than what was built from it.
  writeFileSync(join(dist, ".built"), "");
  utimesSync(join(dist, ".built"), started, started);
});
