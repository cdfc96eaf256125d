import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import Docker from "dockerode";
import pino from "pino";
import { allPids, commandLine, identify } from "../../shim/proc.js";
import type { Time } from "../time.js";

const startLimitMs = 30_000;
const stopLimitMs = 30_000;
const applets =
  "sh ls sleep cat stty setsid echo true env head dd wc kill ps printf tr test grep seq yes sha256sum mkdir chmod nohup".split(" ");

/** An image of nothing but busybox. */
export const busyboxImage = "allocd-test/busybox:1";
/** An image without a shell: only `/bin/stty`, `/bin/sleep` and `/bin/cat`. */
export const shellessImage = "allocd-test/shelless:1";

export const quiet = pino({ level: "silent" });

export const realTime: Time = {
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => pause(ms, undefined, signal ? { signal, ref: false } : { ref: false }).catch(() => {}),
};

/** Why no engine can be started here; empty when it can. */
export function whyNoEngine(): string {
  if (process.getuid?.() !== 0) return "only root can start an engine";
  for (const program of ["dockerd", "busybox"]) if (!onPath(program)) return `there is no ${program}`;
  return "";
}

const onPath = (program: string): boolean =>
  [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Tests with an engine of their own. Where none can be started, the run says so, and fails under CI=true. */
export function describeWithEngine(name: string, body: (engine: () => PrivateEngine) => void): void {
  const why = whyNoEngine();
  describe(name, () => {
    if (why !== "") {
      test("is left out", () => {
        console.warn(`left out: ${name}: ${why}`);
        expect(process.env.CI).not.toBe("true");
      });
      return;
    }
    let engine: PrivateEngine;
    beforeAll(async () => {
      engine = await PrivateEngine.start();
    }, startLimitMs);
    afterAll(async () => {
      expect(await engine.close()).toEqual([]);
    }, stopLimitMs);
    body(() => engine);
  });
}

/** An engine that shares nothing with that of the host but the kernel. */
export class PrivateEngine {
  readonly dir = mkdtempSync(join(tmpdir(), "allocd-engine-"));
  readonly socketPath = join(this.dir, "docker.sock");
  readonly docker = new Docker({ socketPath: this.socketPath });
  readonly #cgroup = `allocd-engine-${process.pid}-${Date.now().toString(36)}`;
  #daemon: ChildProcess | undefined;

  /** With the images above. */
  static async start(): Promise<PrivateEngine> {
    const engine = new PrivateEngine();
    await engine.up();
    await engine.#import(busyboxImage, applets);
    await engine.#import(shellessImage, ["stty", "sleep", "cat"]);
    return engine;
  }

  /** Starts the engine, or starts it again. */
  async up(): Promise<void> {
    const log = openSync(join(this.dir, "log"), "a");
    const options = [
      ["--data-root", join(this.dir, "data")],
      ["--exec-root", join(this.dir, "exec")],
      ["--pidfile", join(this.dir, "pid")],
      ["--host", `unix://${this.socketPath}`],
      ["--cgroup-parent", this.#cgroup],
      ["--bridge", "none"],
      ["--iptables=false"],
      ["--ip6tables=false"],
    ];
    const daemon = spawn("dockerd", options.flat(), {
      stdio: ["ignore", log, log],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
    this.#daemon = daemon;
    for (const end = Date.now() + startLimitMs; ; await pause(20)) {
      const up = await this.docker.ping().then(
        () => true,
        () => false,
      );
      if (up) return;
      if (daemon.exitCode !== null || Date.now() > end)
        throw new Error(`dockerd does not start: ${readFileSync(join(this.dir, "log"), "utf8").slice(-2000)}`);
    }
  }

  /** As a crash does: containers go on. */
  async crash(): Promise<void> {
    const containerd = join(this.dir, "exec/containerd/containerd.pid");
    const pid = Number(readFileSync(containerd, "utf8"));
    await this.#end("SIGKILL");
    // It goes with the engine. A successor that still sees it, if only as a zombie, waits for it in vain.
    while (identify(pid)) await pause(10);
    for (const file of [containerd, join(this.dir, "pid")]) rmSync(file, { force: true });
  }

  /** Starts a container that does nothing, or `command`. */
  async container(command: readonly string[] = ["sleep", "100000"], image = busyboxImage): Promise<Docker.Container> {
    const container = await this.docker.createContainer({
      Image: image,
      Cmd: [...command],
      StopTimeout: 1,
      HostConfig: { NetworkMode: "none" },
    });
    await container.start();
    return container;
  }

  /** Makes an image of some of busybox' commands. */
  async #import(name: string, commands: readonly string[]): Promise<void> {
    const tar = busyboxTar(this.dir, commands);
    const [repo, tag] = name.split(":");
    const stream = await this.docker.importImage(tar, { repo, tag });
    await new Promise((resolve, reject) => {
      stream.on("end", resolve);
      stream.on("error", reject);
      stream.resume();
    });
  }

  /** Ends the engine and removes everything. @returns what was left behind. */
  async close(): Promise<string[]> {
    for (const { Id } of await this.docker.listContainers({ all: true }))
      await this.docker.getContainer(Id).remove({ force: true, v: true });
    await this.#end("SIGTERM");
    const left = allPids()
      .map((pid) => commandLine(pid).join(" "))
      .filter((command) => command.includes(this.dir));
    // An engine that did not end by itself leaves the mount of its data root.
    for (const point of mountsBelow(this.dir)) execFileSync("umount", [point]);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
    for (const hierarchy of ["", ...readdirSync("/sys/fs/cgroup")]) {
      const dir = join("/sys/fs/cgroup", hierarchy, this.#cgroup);
      if (existsSync(dir)) rmdirSync(dir);
    }
    return left;
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const daemon = this.#daemon;
    if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once("exit", resolve));
    daemon.kill(signal);
    await ended;
  }
}

/** A root file system. @returns the path of its archive. */
export function busyboxTar(dir: string, commands: readonly string[]): string {
  const root = mkdtempSync(join(dir, "root-"));
  for (const name of ["bin", "tmp", "etc", "proc", "dev", "sys"]) mkdirSync(join(root, name));
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  execFileSync("cp", ["-L", busybox, join(root, "bin/busybox")]);
  for (const name of commands) symlinkSync("busybox", join(root, "bin", name));
  const tar = `${root}.tar`;
  execFileSync("tar", ["-C", root, "-cf", tar, "."]);
  rmSync(root, { recursive: true });
  return tar;
}

/** The deepest first. */
const mountsBelow = (dir: string): string[] =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[1] ?? [])
    .filter((point) => point.startsWith(`${dir}/`))
    .sort((a, b) => b.length - a.length);
