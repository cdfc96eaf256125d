// What has to be there before anything of this repository can run: compilers, node_modules, native modules, dist.
// Node built-ins only: on a fresh clone there is nothing else.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const top = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** What node-gyp needs for node-pty and better-sqlite3, each in the Debian package of its name. */
const buildTools = ["g++", "make", "python3"];
/** The Debian packages of commands that are called otherwise. */
const packages = { dockerd: "docker.io", busybox: "busybox-static", ip: "iproute2" };
const natives = ["node-pty", "better-sqlite3"];
const sources = ["agent", "drivers", "api", "cli", "tsconfig.json", "package.json"];

/** A failure that is told in one line and ends the script. */
export class SetupError extends Error {}

/** Runs the body of a script: a SetupError is one line on stderr and exit code 1. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** Installs whatever `npm start` and `npm test` lack, and nothing when all is there. */
export function ensureModules() {
  if (Number(process.versions.node.split(".")[0]) < 20) throw new SetupError(`allocd needs Node 20 or later; this is ${process.version}`);
  if (stale(join(top, "node_modules/.package-lock.json"), [join(top, "package-lock.json")])) {
    ensureTools();
    console.log("installing node_modules (compiling the native ones takes a minute or two) ...");
    npm("ci", "--no-audit", "--no-fund");
  }
  if (nativesLoad()) return;
  // An npm that runs no install scripts leaves them unbuilt, another version of Node leaves them built for the old one.
  ensureTools();
  console.log(`building ${natives.join(" and ")} ...`);
  npm("rebuild", "--ignore-scripts=false", ...natives);
  if (!nativesLoad())
    throw new SetupError(`${natives.join(" and ")} do not load: run "npm rebuild ${natives.join(" ")}" and read what it says`);
}

export function ensureTools() {
  const missing = install(buildTools);
  if (missing.length > 0) throw new SetupError(`missing: ${missing.join(", ")}. On Debian: apt-get install ${missing.join(" ")}`);
}

/** What the tests' own engine needs; where it can not be had, they say so themselves. */
export function ensureEngine() {
  if (process.getuid() === 0) install(["dockerd", "busybox", "iptables", "ip"]);
}

/** @returns the packages that are still missing. */
function install(tools) {
  const missing = () => [...new Set(tools.filter((tool) => !onPath(tool)).map((tool) => packages[tool] ?? tool))];
  const wanted = missing();
  if (wanted.length === 0 || process.getuid() !== 0 || !onPath("apt-get")) return wanted;
  console.log(`installing ${wanted.join(", ")} ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["update", "-qq"], { stdio: "inherit", env });
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...wanted], { stdio: "inherit", env });
  return missing();
}

/** Builds dist when a source is newer. */
export function ensureBuild() {
  if (
    !stale(
      join(top, "dist/.built"),
      sources.map((name) => join(top, name)),
    )
  )
    return;
  console.log("building ...");
  run(process.execPath, [join(top, ".ci/scripts/build.mjs")]);
}

/** @throws SetupError when the command does not end with 0; its output is the caller's. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: top, stdio: "inherit", ...options });
  if (result.error) throw new SetupError(`${command}: ${result.error.message}`);
  if (result.status !== 0) throw new SetupError(`failed: ${[command, ...args].join(" ").replaceAll(`${top}/`, "")}`);
}

function npm(...args) {
  const env = { ...process.env };
  // Headers that came with Node save node-gyp a download, which some hosts can not make.
  const prefix = dirname(dirname(process.execPath));
  if (!env.npm_config_nodedir && existsSync(join(prefix, "include/node/common.gypi"))) env.npm_config_nodedir = prefix;
  run("npm", args, { env });
}

const nativesLoad = () =>
  spawnSync(process.execPath, ["-e", 'require("node-pty"); new (require("better-sqlite3"))(":memory:").close();'], {
    cwd: top,
    stdio: "ignore",
  }).status === 0;

function onPath(tool) {
  return (process.env.PATH ?? "").split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** True when the file is missing or older than the newest of the inputs. */
function stale(file, inputs) {
  const made = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return made === undefined || inputs.some((input) => newest(input) > made);
}

function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return path.endsWith(".test.ts") ? 0 : stat.mtimeMs;
  // A directory's own time tells of files that were removed.
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), stat.mtimeMs);
}
