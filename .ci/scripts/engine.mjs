// A Docker engine of its own for tests: own data, socket, bridge and cgroup, and none of the host's firewall rules. It shares the kernel
// with whatever engine the host has, and nothing else.
// node engine.mjs start DIR [--live-restore] [--image redis]   tells the socket; starts it again where it has run before
// node engine.mjs kill DIR                                     as a crash does: containers go on
// node engine.mjs stop DIR                                     ends it with its containers and removes DIR
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { arch } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { main, SetupError } from "./toolchain.mjs";

const startMs = 40_000;
const stopMs = 30_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "live-restore": { type: "boolean", default: false }, image: { type: "string", multiple: true, default: [] } },
});
const [command, given = ""] = positionals;
const dir = resolve(given);
const socket = join(dir, "docker.sock");
const mark = createHash("sha256").update(dir).digest("hex").slice(0, 8);
const bridge = `allocd${mark}`;
const cgroup = `allocd-engine-${mark}`;

async function start() {
  mkdirSync(dir, { recursive: true });
  addBridge();
  // After a crash they may name processes that are gone but for their parent to notice: the engine would wait for those.
  for (const file of ["pid", "exec/containerd/containerd.pid"]) {
    const path = join(dir, file);
    if (existsSync(path) && !isAlive(Number(readFileSync(path, "utf8")))) rmSync(path);
  }
  const log = openSync(join(dir, "log"), "a");
  const options = [
    ...["--data-root", join(dir, "data")],
    ...["--exec-root", join(dir, "exec")],
    ...["--pidfile", join(dir, "pid")],
    ...["--host", `unix://${socket}`],
    ...["--bridge", bridge],
    ...["--cgroup-parent", cgroup],
    ...["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"],
    ...(values["live-restore"] ? ["--live-restore"] : []),
  ];
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const daemon = spawn("dockerd", options, { stdio: ["ignore", log, log], detached: true, env });
  daemon.unref();
  for (const end = Date.now() + startMs; !(await answers()); await sleep(50)) {
    if (daemon.exitCode !== null || Date.now() > end)
      throw new SetupError(`the engine does not start:\n${readFileSync(join(dir, "log"), "utf8").slice(-2000)}`);
  }
  const images = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split("\n");
  if (!images.includes("busybox:local")) importBusybox();
  if (values.image.includes("redis") && !images.includes("redis:3.2")) importRedis();
  console.log(`unix://${socket}`);
}

async function kill() {
  const pid = daemonPid();
  if (pid === undefined) return;
  process.kill(pid, "SIGKILL");
  for (const end = Date.now() + stopMs; isAlive(pid) && Date.now() < end; ) await sleep(20);
}

async function stop() {
  if (await answers()) {
    const ids = docker("ps", "-aq").split("\n").filter(Boolean);
    if (ids.length > 0) docker("rm", "--force", "--volumes", ...ids);
  }
  const pid = daemonPid();
  if (pid !== undefined) process.kill(pid, "SIGTERM");
  for (const end = Date.now() + stopMs; pid !== undefined && isAlive(pid) && Date.now() < end; ) await sleep(50);
  for (let left = own(); left.length > 0; left = own()) {
    for (const each of left) spawnSync("kill", ["-KILL", String(each)]);
    await sleep(50);
  }
  for (const point of mounts()) spawnSync("umount", ["--lazy", point]);
  spawnSync("ip", ["link", "delete", bridge]);
  for (const hierarchy of readdirSync("/sys/fs/cgroup")) removeCgroup(join("/sys/fs/cgroup", hierarchy, cgroup));
  removeCgroup(join("/sys/fs/cgroup", cgroup));
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}

/** In a network that nobody else has. */
function addBridge() {
  if (existsSync(`/sys/class/net/${bridge}`)) return;
  const taken = execFileSync("ip", ["route"], { encoding: "utf8" });
  const [a, b] = createHash("sha256").update(dir).digest();
  const free = Array.from({ length: 250 }, (_, i) => `10.${128 + (a % 127)}.${(b + i) % 256}.`).find((net) => !taken.includes(net));
  for (const args of [
    ["link", "add", bridge, "type", "bridge"],
    ["addr", "add", `${free}1/24`, "dev", bridge],
    ["link", "set", bridge, "up"],
  ])
    execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
}

const answers = () =>
  new Promise((done) => {
    const ping = request({ socketPath: socket, path: "/_ping" }, (answer) => {
      answer.resume();
      done(answer.statusCode === 200);
    });
    ping.on("error", () => done(false));
    ping.end();
  });

function docker(...args) {
  const { status, stdout, stderr } = spawnSync("docker", ["--host", `unix://${socket}`, ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (status !== 0) throw new SetupError(`docker ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** busybox and its names, in a file system of its own. */
function busyboxRoot() {
  const root = mkdtempSync(join(dir, "root-"));
  for (const name of ["bin", "etc", "tmp", "lib", "lib64", "usr/bin"]) mkdirSync(join(root, name), { recursive: true });
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  copyFileSync(realpathSync(busybox), join(root, "bin/busybox"));
  for (const name of execFileSync(busybox, ["--list"], { encoding: "utf8" }).split("\n").filter(Boolean)) {
    if (name !== "busybox") symlinkSync("busybox", join(root, "bin", basename(name)));
  }
  spawnSync("chmod", ["1777", join(root, "tmp")]);
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
  return root;
}

function importRoot(root, image, ...changes) {
  const archive = `${root}.tar`;
  execFileSync("tar", ["-C", root, "-cf", archive, "."]);
  docker("import", ...changes.flatMap((change) => ["--change", change]), archive, image);
  rmSync(root, { recursive: true });
  rmSync(archive);
}

const importBusybox = () => importRoot(busyboxRoot(), "busybox:local");

/** The server of Debian's packages with its libraries; the packages are unpacked, not installed. */
function importRedis() {
  const root = busyboxRoot();
  const packages = mkdtempSync(join(dir, "packages-"));
  const names = [
    "redis-server",
    "redis-tools",
    "libatomic1",
    "libjemalloc2",
    "liblzf1",
    "libssl3",
    "libsystemd0",
    "liblua5.1-0",
    "lua-cjson",
    "lua-bitop",
  ];
  const quiet = { cwd: packages, stdio: ["ignore", "ignore", "inherit"] };
  spawnSync("apt-get", ["update", "-qq"], quiet);
  const fetched = spawnSync("apt-get", ["download", "-qq", ...names], quiet);
  if (fetched.status !== 0) throw new SetupError("redis can not be had from Debian");
  for (const file of readdirSync(packages).filter((name) => name.endsWith(".deb"))) execFileSync("dpkg", ["-x", file, "files"], quiet);
  const files = join(packages, "files");
  const triplet = arch() === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const env = { ...process.env, LD_LIBRARY_PATH: [`${files}/usr/lib/${triplet}`, `${files}/lib/${triplet}`].join(":") };
  for (const name of ["redis-server", "redis-cli"]) {
    const program = realpathSync(join(files, "usr/bin", name));
    copyFileSync(program, join(root, "usr/bin", name));
    const libraries = execFileSync("ldd", [program], { encoding: "utf8", env }).match(/\/\S+(?= \()/g) ?? [];
    for (const library of libraries) copyFileSync(library, join(root, dirname(library) === "/lib64" ? "lib64" : "lib", basename(library)));
  }
  importRoot(
    root,
    "redis:3.2",
    'CMD ["/usr/bin/redis-server","--protected-mode","no"]',
    "EXPOSE 6379",
    "ENV LD_LIBRARY_PATH=/lib PATH=/usr/bin:/bin",
  );
  rmSync(packages, { recursive: true });
}

function daemonPid() {
  const text = existsSync(join(dir, "pid")) ? readFileSync(join(dir, "pid"), "utf8") : "";
  return isAlive(Number(text)) ? Number(text) : undefined;
}

function isAlive(pid) {
  try {
    return pid > 0 && !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Processes that have to do with the directory: the engine's own, and what watches its containers. */
const own = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && isAlive(Number(name)))
    .filter((name) => {
      try {
        return (
          /dockerd|containerd|docker-proxy/.test(readFileSync(`/proc/${name}/comm`, "utf8")) &&
          readFileSync(`/proc/${name}/cmdline`, "utf8").includes(dir)
        );
      } catch {
        return false;
      }
    })
    .map(Number);

const mounts = () =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(`${dir}/`))
    .sort((a, b) => b.length - a.length);

function removeCgroup(path) {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch {
    // The kernel lets go of it a moment later, and an empty cgroup costs nothing.
  }
}

await main(async () => {
  if (given === "" || !["start", "kill", "stop"].includes(command)) throw new SetupError("usage: engine.mjs start|kill|stop DIR");
  if (command === "start") await start();
  else if (command === "kill") await kill();
  else await stop();
});
